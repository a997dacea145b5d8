//! What an entry of the timeline, the audit log or the event log is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::email::shorten;
use crate::error::Error;
use crate::id::{
    ActivityId, ApiKeyId, CallId, CompanyId, ConsentId, ContactId, JobId, ScheduleId, SignInId,
    TelephonyAccountId, TenantId, UserId,
};

/// One record, by kind and id. In text `contact:<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EntityRef {
    /// The kind of record.
    pub kind: EntityKind,
    /// Its id.
    pub id: Uuid,
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for EntityRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once(':');
        let read = parts.and_then(|(kind, id)| Some((kind.parse().ok()?, id.parse().ok()?)));
        let (kind, id) = read.ok_or_else(|| {
            let message = format!("`{}` is no record; write it as `contact:<id>`", shorten(text));
            Error::invalid_field("resource", "invalid_resource", message)
        })?;
        Ok(EntityRef { kind, id })
    }
}

macro_rules! entity_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $id:ty;)*) => {
        /// The kinds of record that entries can be about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum EntityKind { $($(#[$doc])* #[serde(rename = $name)] $kind,)* }

        impl EntityKind {
            /// Every kind.
            pub const ALL: &'static [EntityKind] = &[$(EntityKind::$kind,)*];

            /// The kind's stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(EntityKind::$kind => $name,)* }
            }
        }

        $(impl From<$id> for EntityRef {
            fn from(id: $id) -> Self {
                EntityRef { kind: EntityKind::$kind, id: id.as_uuid() }
            }
        })*
    };
}

entity_kinds! {
    /// A tenant.
    Tenant = "tenant", TenantId;
    /// A user.
    User = "user", UserId;
    /// A company.
    Company = "company", CompanyId;
    /// A contact.
    Contact = "contact", ContactId;
    /// An activity.
    Activity = "activity", ActivityId;
    /// A sign-in of a user, from its first token to its last.
    SignIn = "session", SignInId;
    /// An API key.
    ApiKey = "api_key", ApiKeyId;
    /// A call.
    Call = "call", CallId;
    /// A tenant's account with a telephony provider.
    TelephonyAccount = "telephony_account", TelephonyAccountId;
    /// What a contact said about being called or recorded.
    Consent = "consent", ConsentId;
    /// A job that is dead, waits or runs.
    Job = "job", JobId;
    /// A schedule of jobs.
    Schedule = "schedule", ScheduleId;
}

impl FromStr for EntityKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        EntityKind::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
            Error::invalid_field("kind", "invalid_kind", format!("`{text}` is no kind of record"))
        })
    }
}
