//! Events as bindings show them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::entity::EntityRef;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{After, EventName, EventPosition, RecordedEvent};
use crate::id::EventId;
use crate::scope::{Actor, RequestId};
use crate::time::Timestamp;

/// Something that happened, and its place in the log.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FollowedEvent {
    /// The place, 16 hexadecimal digits: to follow on after it.
    pub position: String,
    /// Identifies the event; a reader that sees an id twice has seen the same event.
    pub id: EventId,
    /// What happened, e.g. `contact.updated.v1`.
    pub name: EventName,
    /// When.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The request that caused it.
    pub request_id: RequestId,
    /// The record that it happened to.
    pub subject: EntityRef,
    /// What the name's schema says.
    pub data: Value,
}

impl TryFrom<RecordedEvent> for FollowedEvent {
    type Error = Error;

    /// # Errors
    ///
    /// `internal` for an event whose data are no JSON.
    fn try_from(recorded: RecordedEvent) -> Result<Self> {
        let RecordedEvent { position, event } = recorded;
        Ok(FollowedEvent {
            position: position_text(position),
            id: event.id,
            name: event.name,
            occurred_at: event.occurred_at,
            actor: event.actor,
            request_id: event.request_id,
            subject: event.subject,
            data: serde_json::from_str(event.data.get()).map_err(Error::internal)?,
        })
    }
}

/// A position as front doors show it: 16 hexadecimal digits, which compare as text as positions do.
pub fn position_text(position: EventPosition) -> String {
    format!("{:016x}", position.0)
}

/// Where to begin: `now`, `start`, or a position as it was shown.
///
/// # Errors
///
/// `malformed` for anything else.
pub fn after(text: &str) -> Result<After> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    match text {
        "now" => Ok(After::Now),
        "start" => Ok(After::Start),
        position if position.len() == 16 && position.bytes().all(digit) => {
            let position = u64::from_str_radix(position, 16).map_err(Error::internal)?;
            Ok(After::Position(EventPosition(position)))
        }
        _ => {
            let message = "`after` is `now`, `start` or the `position` of an event";
            Err(Error::new(ErrorKind::Malformed, message))
        }
    }
}
