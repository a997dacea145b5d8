//! What goes over the wire: the texts of API and its words.

use std::fmt;
use std::str::FromStr;

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use crm_core::events::{Event, EventName, EventPosition, RecordedEvent};
use crm_core::{
    Actor, ContactId, EntityKind, Error, ErrorKind, NotificationId, Proof, Result, TenantScope,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A position as clients see it: 16 hexadecimal digits, which compare as text as positions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(pub(crate) EventPosition);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0.0)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let message = "`after` is a `position` that the server has told";
            Error::new(ErrorKind::Malformed, message)
        };
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 16 || !text.bytes().all(digits) {
            return Err(wrong());
        }
        let position = u64::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Position(EventPosition(position)))
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| D::Error::custom(error.message()))
    }
}

/// What a client follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// All that the client may see.
    Tenant,
    /// What is about one contact.
    Contact(ContactId),
}

impl Topic {
    pub(crate) fn holds(self, contact: Option<ContactId>) -> bool {
        match self {
            Topic::Tenant => true,
            Topic::Contact(id) => contact == Some(id),
        }
    }
}

impl FromStr for Topic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let contact = |id: &str| id.parse().ok().map(Topic::Contact);
        match text.split_once(':') {
            None if text == "tenant" => Some(Topic::Tenant),
            Some(("contact", id)) => contact(id),
            None | Some(_) => None,
        }
        .ok_or_else(|| {
            let message = "a topic is `tenant` or `contact:<id>`";
            Error::invalid_field("topics", "invalid_topic", message)
        })
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("a topic is `tenant` or `contact:<id>`"))
    }
}

/// What clients say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum FromClient {
    /// Follow these instead of what was followed.
    Subscribe {
        topics: Vec<Topic>,
        #[serde(default)]
        after: Option<Position>,
    },
    /// A notification has come.
    Ack { notification_id: NotificationId },
    /// Is somebody there?
    Ping,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToClient<'a> {
    Hello { connection_id: Uuid, position: Position, heartbeat_seconds: u64 },
    Event { position: Position, event: Shown<'a> },
    Notification { notification: &'a RawValue },
    Reset { position: Position },
    Error { code: &'a str, message: &'a str },
    Pong,
}

/// An event as the API shows it.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    id: crm_core::EventId,
    name: EventName,
    occurred_at: crm_core::Timestamp,
    actor: Actor,
    request_id: &'a crm_core::RequestId,
    subject: crm_core::EntityRef,
    data: &'a RawValue,
}

impl<'a> Shown<'a> {
    pub(crate) fn of(event: &'a Event) -> Self {
        Shown {
            id: event.id,
            name: event.name,
            occurred_at: event.occurred_at,
            actor: event.actor,
            request_id: &event.request_id,
            subject: event.subject,
            data: &event.data,
        }
    }
}

impl ToClient<'_> {
    pub(crate) fn text(&self) -> Result<Utf8Bytes> {
        serde_json::to_string(self).map(Utf8Bytes::from).map_err(Error::internal)
    }
}

/// An event on its way to clients, written once for all of them.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) position: EventPosition,
    pub(crate) event: Event,
    pub(crate) contact: Option<ContactId>,
    /// The notification that it brings to its subject, instead of the event.
    pub(crate) notification: Option<NotificationId>,
    pub(crate) text: Utf8Bytes,
}

/// What an event about a new notification holds.
#[derive(Deserialize)]
struct Brings<'a> {
    #[serde(borrow)]
    notification: &'a RawValue,
}

#[derive(Deserialize)]
struct Identified {
    id: NotificationId,
}

impl Frame {
    pub(crate) fn of(recorded: RecordedEvent) -> Result<Self> {
        let RecordedEvent { position, event } = recorded;
        if event.name == EventName::NotificationCreated {
            let data: Brings<'_> =
                serde_json::from_str(event.data.get()).map_err(Error::internal)?;
            let notification = data.notification;
            let text = ToClient::Notification { notification }.text()?;
            let Identified { id } =
                serde_json::from_str(notification.get()).map_err(Error::internal)?;
            return Ok(Frame { position, contact: None, notification: Some(id), event, text });
        }
        let shown = ToClient::Event { position: Position(position), event: Shown::of(&event) };
        let (contact, text) = (event.contact(), shown.text()?);
        Ok(Frame { position, contact, notification: None, event, text })
    }

    /// Whether it may have changed how this actor stands.
    pub(crate) fn touches(&self, scope: &TenantScope) -> bool {
        let is = |own: Option<Uuid>| own == Some(self.event.subject.id);
        match self.event.subject.kind {
            EntityKind::Tenant => true,
            EntityKind::User => is(scope.actor().user().map(|id| id.as_uuid())),
            EntityKind::SignIn => match scope.proof() {
                Proof::SignIn { id, .. } => is(Some(id.as_uuid())),
                Proof::Host | Proof::Key { .. } => false,
            },
            EntityKind::ApiKey => match scope.actor() {
                Actor::ApiKey(id) => is(Some(id.as_uuid())),
                Actor::System | Actor::User(_) => false,
            },
            EntityKind::Company
            | EntityKind::Contact
            | EntityKind::Activity
            | EntityKind::Call
            | EntityKind::Consent
            | EntityKind::TelephonyAccount
            | EntityKind::Job
            | EntityKind::Schedule => false,
        }
    }
}

/// Why the server ends a connection. The codes are those of RFC 6455 (7.4) and, from 4000 on, the API's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    ServerStops,
    ProtocolError,
    NoText,
    NoUtf8,
    TooLarge,
    Internal,
    SignedOut,
    Silent,
    Slow,
    TooMany,
}

impl Ended {
    pub(crate) const fn code(self) -> (u16, &'static str) {
        match self {
            Ended::ServerStops => (1001, "server_stops"),
            Ended::ProtocolError => (1002, "protocol_error"),
            Ended::NoText => (1003, "text_frames_only"),
            Ended::NoUtf8 => (1007, "invalid_utf8"),
            Ended::TooLarge => (1009, "message_too_large"),
            Ended::Internal => (1011, "internal"),
            Ended::SignedOut => (4401, "session_ended"),
            Ended::Silent => (4408, "no_heartbeat"),
            Ended::Slow => (4409, "slow_reader"),
            Ended::TooMany => (4429, "too_many_messages"),
        }
    }

    pub(crate) fn frame(self) -> CloseFrame {
        let (code, reason) = self.code();
        CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
    }
}
