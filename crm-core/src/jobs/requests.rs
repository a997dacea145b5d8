//! What front doors are asked for of jobs.

use serde::Deserialize;

use super::model::{JobKind, JobState};
use crate::page::{Cursor, Limit};

/// Which jobs; all filters must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListJobs {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<JobKind>,
}
