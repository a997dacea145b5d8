//! What of the events people are told: pure.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::model::NotificationKind;
use crate::activities::Direction;
use crate::calls::{Call, CallStatus};
use crate::changes::{Change, Changes, Write};
use crate::entity::EntityKind;
use crate::events::{Event, EventName};
use crate::id::{ActivityId, CallId, ContactId, UserId};

/// Something that a person may be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notice {
    pub(super) user: UserId,
    pub(super) kind: NotificationKind,
    /// The record that they must be able to read.
    pub(super) contact: Option<ContactId>,
    pub(super) body: Option<String>,
    pub(super) data: Map<String, Value>,
}

/// What an event says to people.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Nothing.
    Nothing,
    /// These notices.
    Notices(Vec<Notice>),
    /// It depends on the call.
    OfCall(CallId),
}

/// Whether one of the unit's events may say something to somebody. It costs next to nothing, and errs by
/// saying yes.
pub(crate) fn may_notify(changes: &Changes) -> bool {
    let actor = changes.scope().actor().user();
    changes.iter().any(|change| {
        let name = change.event().name;
        if name == EventName::ContactCreated {
            gives_away(change, actor)
        } else if name == EventName::ContactUpdated {
            gives_away(change, actor)
                && change.audit().fields.iter().any(|field| field == "owner_id")
        } else if name == EventName::ActivityLogged {
            change.event().data.get().contains("<@")
        } else {
            name == EventName::CallEnded || name == EventName::ContactsImported
        }
    })
}

fn gives_away(change: &Change, actor: Option<UserId>) -> bool {
    let (Write::InsertContact { contact, .. } | Write::UpdateContact { contact, .. }) =
        change.write()
    else {
        return false;
    };
    contact.owner_id.is_some() && contact.owner_id != actor
}

/// What an event says to people. One whose data has another shape says nothing.
pub(super) fn meaning(event: &Event) -> Meaning {
    let actor = event.actor.user();
    let notices = |notices: Vec<Notice>| {
        let others: Vec<Notice> = notices
            .into_iter()
            .filter(|told| told.kind == NotificationKind::ImportDone || Some(told.user) != actor)
            .collect();
        if others.is_empty() { Meaning::Nothing } else { Meaning::Notices(others) }
    };
    match event.name {
        EventName::ContactCreated => {
            notices(owner_of::<Made>(event, |made| made.contact).into_iter().collect())
        }
        EventName::ContactUpdated => {
            notices(owner_of::<Changed>(event, |changed| changed.changes).into_iter().collect())
        }
        EventName::ActivityLogged => notices(mentions(event)),
        EventName::CallEnded if event.subject.kind == EntityKind::Call => {
            Meaning::OfCall(CallId::from_uuid(event.subject.id))
        }
        EventName::ContactsImported => notices(imported(event, actor).into_iter().collect()),
        EventName::TenantCreated
        | EventName::TenantUpdated
        | EventName::UserCreated
        | EventName::UserUpdated
        | EventName::UserSecured
        | EventName::UserAuthenticated
        | EventName::AuthenticationFailed
        | EventName::SessionStarted
        | EventName::SessionRefreshed
        | EventName::SessionProved
        | EventName::SessionEnded
        | EventName::ApiKeyCreated
        | EventName::ApiKeyUsed
        | EventName::ApiKeyRevoked
        | EventName::CompanyCreated
        | EventName::CompanyUpdated
        | EventName::ContactDeleted
        | EventName::ContactRestored
        | EventName::ConsentRecorded
        | EventName::TelephonyAccountCreated
        | EventName::TelephonyAccountUpdated
        | EventName::CallStarted
        | EventName::CallLogged
        | EventName::CallUpdated
        | EventName::CallEnded
        | EventName::CallRecorded
        | EventName::RecordingHeard
        | EventName::RecordingDeleted
        | EventName::JobRetried
        | EventName::JobDiscarded
        | EventName::ScheduleSet
        | EventName::NotificationCreated
        | EventName::NotificationUpdated
        | EventName::NotificationPreferencesUpdated => Meaning::Nothing,
    }
}

#[derive(Deserialize)]
struct Owned {
    owner_id: Option<UserId>,
}
#[derive(Deserialize)]
struct Made {
    contact: Owned,
}
#[derive(Deserialize)]
struct Changed {
    changes: Owned,
}

fn owner_of<T: for<'de> Deserialize<'de>>(
    event: &Event,
    owned: impl Fn(T) -> Owned,
) -> Option<Notice> {
    let read: T = serde_json::from_str(event.data.get()).ok()?;
    let contact = event.contact()?;
    Some(Notice {
        user: owned(read).owner_id?,
        kind: NotificationKind::Assigned,
        contact: Some(contact),
        body: None,
        data: object(json!({ "contact_id": contact })),
    })
}

/// Whoever is named as `<@id>` in the text, each once.
fn mentions(event: &Event) -> Vec<Notice> {
    #[derive(Deserialize)]
    struct Logged {
        activity: Text,
    }
    #[derive(Deserialize)]
    struct Text {
        id: ActivityId,
        contact_id: ContactId,
        body: Option<String>,
    }
    let Ok(Logged { activity }) = serde_json::from_str(event.data.get()) else { return Vec::new() };
    let Some(body) = activity.body else { return Vec::new() };
    let mut named = Vec::new();
    for rest in body.split("<@").skip(1) {
        let id = rest.split_once('>').and_then(|(id, _)| Uuid::try_parse(id).ok());
        if let Some(user) = id.map(UserId::from_uuid).filter(|user| !named.contains(user)) {
            named.push(user);
        }
    }
    let notice = |user| Notice {
        user,
        kind: NotificationKind::Mention,
        contact: Some(activity.contact_id),
        body: Some(shortened(&body)),
        data: object(json!({ "contact_id": activity.contact_id, "activity_id": activity.id })),
    };
    named.into_iter().map(notice).collect()
}

/// The beginning of a text, as long as a preview may be.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = text.chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

fn imported(event: &Event, actor: Option<UserId>) -> Option<Notice> {
    #[derive(Deserialize)]
    struct Counts {
        created: u64,
        updated: u64,
        skipped: u64,
        failed: u64,
    }
    let Counts { created, updated, skipped, failed } =
        serde_json::from_str(event.data.get()).ok()?;
    Some(Notice {
        user: actor?,
        kind: NotificationKind::ImportDone,
        contact: None,
        body: Some(format!(
            "{created} created, {updated} updated, {skipped} skipped, {failed} failed"
        )),
        data: object(json!({
            "created": created, "updated": updated, "skipped": skipped, "failed": failed,
        })),
    })
}

/// What the end of a call says; `owner` is whose the contact is.
pub(super) fn of_call(call: &Call, owner: Option<UserId>) -> Option<Notice> {
    let answered = call.status() == CallStatus::Completed || call.progress.answered_at.is_some();
    let (user, kind) = match call.direction {
        Direction::Inbound if !answered => (call.user_id.or(owner)?, NotificationKind::CallMissed),
        Direction::Inbound | Direction::Outbound => {
            (call.user_id.filter(|_| answered)?, NotificationKind::CallEnded)
        }
    };
    Some(Notice {
        user,
        kind,
        contact: call.contact_id,
        body: None,
        data: object(json!({ "call_id": call.id, "contact_id": call.contact_id })),
    })
}

/// The title of one notification.
pub(super) fn title(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Assigned => "A contact was assigned to you",
        NotificationKind::CallEnded => "A call of yours has ended",
        NotificationKind::CallMissed => "A call was missed",
        NotificationKind::Mention => "You were mentioned",
        NotificationKind::ImportDone => "An import is done",
        NotificationKind::Broadcast => "An announcement",
    }
}

/// The title of a summary of `count` that would have been too many.
pub(super) fn summary_title(kind: NotificationKind, count: u32) -> String {
    let (one, many) = match kind {
        NotificationKind::Assigned => {
            ("contact was assigned to you", "contacts were assigned to you")
        }
        NotificationKind::CallEnded => ("call of yours has ended", "calls of yours have ended"),
        NotificationKind::CallMissed => ("call was missed", "calls were missed"),
        NotificationKind::Mention => ("entry mentions you", "entries mention you"),
        NotificationKind::ImportDone => ("import is done", "imports are done"),
        NotificationKind::Broadcast => ("announcement was made", "announcements were made"),
    };
    format!("{count} more {}", if count == 1 { one } else { many })
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
