//! Events and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::entity::{EntityKind, EntityRef};
use crate::error::Error;
use crate::id::{ContactId, EventId};
use crate::scope::{Actor, RequestId};
use crate::time::Timestamp;

/// Something that happened, written by the same commit as its cause.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Identifies the event; a reader that sees an id twice has seen the same event.
    pub id: EventId,
    /// What happened.
    pub name: EventName,
    /// When.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The request that caused it.
    pub request_id: RequestId,
    /// The record that it happened to.
    pub subject: EntityRef,
    /// The [`Payload`](super::Payload) of the name, as JSON.
    pub data: Box<RawValue>,
}

impl Event {
    /// The contact that the event is about, where it is about one.
    pub fn contact(&self) -> Option<ContactId> {
        if self.subject.kind == EntityKind::Contact {
            return Some(ContactId::from_uuid(self.subject.id));
        }
        #[derive(Deserialize)]
        struct Of {
            contact_id: Option<ContactId>,
        }
        #[derive(Deserialize)]
        struct About {
            contact_id: Option<ContactId>,
            activity: Option<Of>,
            consent: Option<Of>,
        }
        let about: About = serde_json::from_str(self.data.get()).ok()?;
        let of = about.activity.or(about.consent);
        about.contact_id.or_else(|| of?.contact_id)
    }
}

/// A place in a tenant's event log. Later events have greater positions; there may be gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct EventPosition(pub u64);

impl EventPosition {
    /// Before the first event.
    pub const START: EventPosition = EventPosition(0);

    /// What a database can keep of it: none counts further.
    pub(crate) fn held(self) -> Self {
        EventPosition(self.0.min(i64::MAX.cast_unsigned()))
    }
}

/// How far a tenant's event log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventBounds {
    /// Of the last event that is forgotten: events after it can be read.
    pub horizon: EventPosition,
    /// Every event up to here can be read by now, and none will be added before it.
    pub end: EventPosition,
    /// Of the newest event that anybody can have seen.
    pub newest: EventPosition,
}

/// An event and its place in the log.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedEvent {
    /// The place.
    pub position: EventPosition,
    /// The event.
    pub event: Event,
}

macro_rules! event_names {
    ($($(#[$doc:meta])* $name:ident = $action:literal, $version:literal;)*) => {
        /// What can happen. Each name has one shape of [`Event::data`], that of its own name in
        /// [`payload`](super::payload); a changed shape gets a new version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventName { $($(#[$doc])* $name,)* }

        impl EventName {
            /// Every name.
            pub const ALL: &'static [EventName] = &[$(EventName::$name,)*];

            /// The name with its version, e.g. `contact.updated.v1`.
            pub const fn as_str(self) -> &'static str {
                match self { $(EventName::$name => concat!($action, ".v", $version),)* }
            }

            /// The name without its version, e.g. `contact.updated`: the action in the audit log.
            pub const fn action(self) -> &'static str {
                match self { $(EventName::$name => $action,)* }
            }
        }
    };
}

event_names! {
    /// A tenant was made.
    TenantCreated = "tenant.created", 1;
    /// A tenant's settings have changed, or who owns it.
    TenantUpdated = "tenant.updated", 1;
    /// A user was made.
    UserCreated = "user.created", 1;
    /// A user has changed.
    UserUpdated = "user.updated", 1;
    /// The password, the second factor or a linked account of a user has changed.
    UserSecured = "user.secured", 1;
    /// The user proved who they are, and what is kept of that has changed: a one-time code is used up, or
    /// wrong attempts are forgotten.
    UserAuthenticated = "user.authenticated", 1;
    /// Somebody was wrong about the user's password or second factor.
    AuthenticationFailed = "user.authentication_failed", 1;
    /// A user signed in.
    SessionStarted = "session.started", 1;
    /// A sign-in goes on with a new token.
    SessionRefreshed = "session.refreshed", 1;
    /// The user proved again who they are.
    SessionProved = "session.proved", 1;
    /// A sign-in is over.
    SessionEnded = "session.ended", 1;
    /// An API key was made.
    ApiKeyCreated = "api_key.created", 1;
    /// An API key was used for the first time in a while.
    ApiKeyUsed = "api_key.used", 1;
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked", 1;
    /// A company was made.
    CompanyCreated = "company.created", 1;
    /// A company has changed.
    CompanyUpdated = "company.updated", 1;
    /// A contact was made.
    ContactCreated = "contact.created", 1;
    /// A contact has changed.
    ContactUpdated = "contact.updated", 1;
    /// A contact is out of use.
    ContactDeleted = "contact.deleted", 1;
    /// A deleted contact is back in use.
    ContactRestored = "contact.restored", 1;
    /// Somebody logged an activity.
    ActivityLogged = "activity.logged", 1;
    /// A contact's answer was written down.
    ConsentRecorded = "consent.recorded", 1;
    /// An account with a carrier was made.
    TelephonyAccountCreated = "telephony_account.created", 1;
    /// An account with a carrier has changed; new secrets are not shown.
    TelephonyAccountUpdated = "telephony_account.updated", 1;
    /// A call was asked for, or comes in.
    CallStarted = "call.started", 1;
    /// A call on an ordinary phone was written down.
    CallLogged = "call.logged", 1;
    /// A call has changed.
    CallUpdated = "call.updated", 1;
    /// A call is over.
    CallEnded = "call.ended", 1;
    /// A recording of a call can be heard.
    CallRecorded = "call.recorded", 1;
    /// Somebody was given a recording, or these bytes of it.
    RecordingHeard = "recording.heard", 1;
    /// A recording of a call can no longer be heard.
    RecordingDeleted = "recording.deleted", 1;
    /// A dead job is tried again.
    JobRetried = "job.retried", 1;
    /// A dead job was given up for good.
    JobDiscarded = "job.discarded", 1;
    /// A schedule is new, or has a new time.
    ScheduleSet = "schedule.set", 1;
    /// `{"created", "updated", "skipped", "failed"}`: an import of contacts is over.
    ContactsImported = "contacts.imported", 1;
    /// `{"notification": {...}}`: the subject is told something. Others do not see it.
    NotificationCreated = "notification.created", 1;
    /// `{"notification_id", "version", "changes": {field: new value}}`. Others than the subject do not see it.
    NotificationUpdated = "notification.updated", 1;
    /// `{"version", "changes": {field: new value}}`. Others than the subject do not see it.
    NotificationPreferencesUpdated = "notification_preferences.updated", 1;
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for EventName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        EventName::ALL
            .iter()
            .copied()
            .find(|name| name.as_str() == text || name.action() == text)
            .ok_or_else(|| {
                Error::invalid_field("name", "invalid_event", format!("`{text}` is no event"))
            })
    }
}
