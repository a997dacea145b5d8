//! How a notification gets into a unit of work: what the person wants, and the jobs that send it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::commands::insert;
use super::model::{IN_APP, Notification, NotificationKind, NotificationPreferences};
use crate::changes::Changes;
use crate::error::Result;
use crate::id::{NotificationId, UserId};
use crate::jobs::NewJob;
use crate::session::Session;

/// Sends a notification through a channel of the host's.
pub(super) const SEND: &str = "crm.notifications.send";

/// A notification and its channel, as jobs name them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) notification_id: NotificationId,
    pub(super) user_id: UserId,
    pub(super) channel: String,
}

/// What is to be told.
pub(super) struct Text {
    pub(super) kind: NotificationKind,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) data: Map<String, Value>,
    pub(super) count: u32,
}

pub(super) async fn preferences_of(
    session: &Session,
    user: UserId,
) -> Result<NotificationPreferences> {
    let kept = session.store().notification_preferences(session.scope(), user).await?;
    Ok(kept.unwrap_or_else(|| NotificationPreferences::unset(user)))
}

/// Adds a notification, where the person wants it by any way. Who wants it by channels of the host's alone has
/// it as one that is delivered and read.
pub(super) fn tell(
    session: &Session,
    changes: &mut Changes,
    preferences: &NotificationPreferences,
    text: Text,
) -> Result<bool> {
    let core = session.core();
    let channels: Vec<&String> = core
        .notification_channels
        .keys()
        .filter(|channel| preferences.wants(text.kind, channel))
        .collect();
    let in_app = preferences.wants(text.kind, IN_APP);
    if !in_app && channels.is_empty() {
        return Ok(false);
    }
    let had = (!in_app).then_some(changes.at());
    let Text { kind, title, body, data, count } = text;
    let user_id = preferences.user_id;
    let notification = Notification {
        id: core.env.new_id()?,
        user_id,
        kind,
        title,
        body,
        data,
        count,
        created_at: changes.at(),
        delivered_at: had,
        read_at: had,
        version: 1,
    };
    for channel in channels {
        let notification_id = notification.id;
        let named = Named { notification_id, user_id, channel: channel.clone() };
        changes.enqueue(&core.env, NewJob::new(SEND, &named)?)?;
    }
    insert(&core.env, changes, notification)?;
    Ok(true)
}
