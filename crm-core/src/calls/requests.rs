//! What front doors are asked for of calls.

use serde::Deserialize;

use super::model::CallStatus;
use super::store::CallFilter;
use crate::activities::Direction;
use crate::id::{ContactId, UserId};
use crate::page::{Cursor, Limit, Page};
use crate::time::Timestamp;

/// Which calls; all filters must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListCalls {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// With this contact.
    pub contact_id: Option<ContactId>,
    /// By this user.
    pub user_id: Option<UserId>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// So far for the carrier.
    pub status: Option<CallStatus>,
    /// With this outcome.
    pub disposition: Option<String>,
    /// Begun at this time or later.
    pub from: Option<Timestamp>,
    /// Begun before this time.
    pub to: Option<Timestamp>,
}

impl ListCalls {
    /// The calls that are meant, and the page of them.
    pub fn parts(self) -> (CallFilter, Page) {
        let ListCalls {
            limit,
            cursor,
            contact_id,
            user_id,
            direction,
            status,
            disposition,
            from,
            to,
        } = self;
        let filter = CallFilter { contact_id, user_id, direction, status, disposition, from, to };
        (filter, Page::asked(limit, cursor.as_ref()))
    }
}
