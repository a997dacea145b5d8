//! Typed identifiers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::email::shorten;
use crate::error::{Error, Result};

/// The identifier of one kind of record: a UUIDv7, so that newer records sort later.
///
/// A [`ContactId`] is not a [`UserId`], even where the bytes are equal:
///
/// ```compile_fail,E0308
/// # use crm_core::{ContactId, UserId};
/// # fn user() -> UserId { unimplemented!() }
/// let contact: ContactId = user();
/// ```
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// A kind of record that has an [`Id`].
pub trait IdKind: 'static {
    /// The record's name in messages and on the timeline, e.g. `contact`.
    const NAME: &'static str;
}

impl<K: IdKind> Id<K> {
    /// The identifier with these bytes, e.g. as read from storage.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Id { uuid, kind: PhantomData }
    }

    /// The bytes without their kind.
    pub const fn as_uuid(&self) -> Uuid {
        self.uuid
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K: IdKind> FromStr for Id<K> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::try_parse(text).map(Id::from_uuid).map_err(|_| {
            Error::invalid_field(
                "id",
                "invalid_id",
                format!("`{}` is no {} id; one is a UUID", shorten(text), K::NAME),
            )
        })
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Id::from_uuid)
    }
}

macro_rules! ids {
    ($($kind:ident, $id:ident, $name:literal;)*) => {$(
        #[doc = concat!("The kind of record: ", $name, ".")]
        #[derive(Debug, Clone, Copy)]
        pub enum $kind {}
        impl IdKind for $kind {
            const NAME: &'static str = $name;
        }
        #[doc = concat!("The id of one ", $name, ".")]
        pub type $id = Id<$kind>;
    )*};
}

ids! {
    TenantKind, TenantId, "tenant";
    UserKind, UserId, "user";
    ContactKind, ContactId, "contact";
    CompanyKind, CompanyId, "company";
    ActivityRecord, ActivityId, "activity";
    EventKind, EventId, "event";
    AuditKind, AuditId, "audit entry";
    SignInKind, SignInId, "session";
    ApiKeyKind, ApiKeyId, "API key";
    CallKind, CallId, "call";
    TelephonyAccountKind, TelephonyAccountId, "telephony account";
    ConsentKind, ConsentId, "consent";
    JobRecord, JobId, "job";
    ScheduleKind, ScheduleId, "schedule";
    NotificationRecord, NotificationId, "notification";
}
