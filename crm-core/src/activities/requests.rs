//! What front doors are asked for of activities.

use serde::Deserialize;

use super::model::{ActivityKind, StatsGroupBy};
use super::store::ActivityFilter;
use crate::id::{ContactId, UserId};
use crate::page::{Cursor, Limit, Page};
use crate::time::Timestamp;

/// Which activities; all filters must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListActivities {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// On this contact's timeline.
    pub contact_id: Option<ContactId>,
    /// Of this kind.
    pub kind: Option<ActivityKind>,
    /// By this user.
    pub user_id: Option<UserId>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl ListActivities {
    /// The activities that are meant, and the page of them.
    pub fn parts(self) -> (ActivityFilter, Page) {
        let ListActivities { limit, cursor, contact_id, kind, user_id, from, to } = self;
        let filter = ActivityFilter { contact_id, kind, user_id, from, to };
        (filter, Page::asked(limit, cursor.as_ref()))
    }
}

/// Which activities are counted, and by what.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CountActivities {
    /// What to count by.
    pub group_by: StatsGroupBy,
    /// On this contact's timeline.
    pub contact_id: Option<ContactId>,
    /// Of this kind.
    pub kind: Option<ActivityKind>,
    /// By this user.
    pub user_id: Option<UserId>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl CountActivities {
    /// The activities that are meant, and what they are counted by.
    pub fn parts(self) -> (ActivityFilter, StatsGroupBy) {
        let CountActivities { group_by, contact_id, kind, user_id, from, to } = self;
        (ActivityFilter { contact_id, kind, user_id, from, to }, group_by)
    }
}
