//! What front doors are asked for of notifications.

use serde::Deserialize;

use crate::page::{Cursor, Limit};

/// Which notifications.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListNotifications {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// Only those that were not read.
    pub unread: bool,
}
