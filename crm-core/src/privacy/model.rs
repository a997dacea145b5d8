//! What contacts said about being called and recorded.

use serde::{Deserialize, Serialize};

use crate::id::{ConsentId, ContactId, UserId};
use crate::time::Timestamp;

/// Characters that a consent's source may have.
pub const MAX_SOURCE: usize = 255;

/// What is consented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To be called. Who has refused is not called; who was never asked may be.
    Calls,
    /// That calls are recorded. Who has not agreed is not recorded.
    Recording,
}

/// What a contact said, once. Nothing is changed afterwards: the latest of a purpose holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Consent {
    /// Identifies the consent within its tenant.
    pub id: ConsentId,
    /// Who said it.
    pub contact_id: ContactId,
    /// To what.
    pub purpose: Purpose,
    /// Whether they agreed.
    pub granted: bool,
    /// How it is known, e.g. `asked on the phone`.
    pub source: Option<String>,
    /// Who wrote it down.
    pub user_id: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// What a contact said, to be written down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// To what.
    pub purpose: Purpose,
    /// Whether they agreed.
    pub granted: bool,
    /// How it is known, at most [`MAX_SOURCE`] characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_SOURCE), regex(pattern = crate::schema::LINE)))]
    pub source: Option<String>,
}

/// The latest of what was said to `purpose`.
pub(crate) fn latest(consents: &[Consent], purpose: Purpose) -> Option<&Consent> {
    consents
        .iter()
        .filter(|consent| consent.purpose == purpose)
        .max_by_key(|consent| (consent.at, consent.id))
}
