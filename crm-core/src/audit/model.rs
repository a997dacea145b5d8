//! Entries of the audit log.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::entity::EntityRef;
use crate::events::EventName;
use crate::id::AuditId;
use crate::scope::{Actor, RequestId};
use crate::time::Timestamp;

/// One action on one record. It names the fields that changed, never their values: personal data
/// must not outlive its erasure here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// Identifies the entry; ids grow with time.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What, e.g. `contact.updated`.
    #[serde(serialize_with = "action")]
    pub action: EventName,
    /// The record.
    pub resource: EntityRef,
    /// The request that it belongs to.
    pub request_id: RequestId,
    /// The fields that changed.
    pub fields: Vec<String>,
}

fn action<S: Serializer>(name: &EventName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.action())
}

/// Which entries a store returns, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only about this record.
    pub resource: Option<EntityRef>,
    /// Only entries older than this one, by id.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: usize,
}
