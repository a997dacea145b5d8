//! What front doors are asked for of the audit log.

use serde::{Deserialize, Deserializer};

use crate::entity::EntityRef;
use crate::page::{Cursor, Limit};

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListAudit {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// About this record alone, as `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
    #[serde(deserialize_with = "resource")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = RESOURCE)))]
    pub resource: Option<EntityRef>,
}

#[cfg(feature = "schema")]
const RESOURCE: &str = "^(tenant|user|company|contact|activity|session|api_key):\
    [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

fn resource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EntityRef>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
