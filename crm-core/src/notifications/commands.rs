//! Pure decisions about notifications.

use serde_json::{Map, Value};

use super::model::{Notification, NotificationPreferences};
use crate::changes::{Changes, Write};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::payload::{
    Changed, NotificationCreated, NotificationPreferencesUpdated, NotificationUpdated,
};

/// Records a new notification.
pub(super) fn insert(env: &Env, changes: &mut Changes, notification: Notification) -> Result<()> {
    let data = NotificationCreated { notification: &notification };
    let made = Box::new(notification.clone());
    let write = Write::PutNotification { notification: made, expected_version: 0 };
    changes.record(env, write, notification.user_id, Vec::new(), &data)?;
    Ok(())
}

/// Records a notification's new state, at its next version.
pub(super) fn update(
    env: &Env,
    changes: &mut Changes,
    before: &Notification,
    mut after: Notification,
) -> Result<Notification> {
    after.version = before.version + 1;
    let (old, new) = (fields_of(before)?, fields_of(&after)?);
    let changed = changed(&old, new);
    let fields = changed.keys().cloned().collect();
    let data = NotificationUpdated {
        notification_id: after.id,
        version: after.version,
        changes: Changed::of(changed),
    };
    let write = Write::PutNotification {
        notification: Box::new(after.clone()),
        expected_version: before.version,
    };
    changes.record(env, write, after.user_id, fields, &data)?;
    Ok(after)
}

/// Records what a person has chosen, at the next version.
pub(super) fn put_preferences(
    env: &Env,
    changes: &mut Changes,
    before: &NotificationPreferences,
    mut after: NotificationPreferences,
) -> Result<NotificationPreferences> {
    after.version = before.version + 1;
    let (old, new) = (fields_of(before)?, fields_of(&after)?);
    let changed = changed(&old, new);
    let fields = changed.keys().cloned().collect();
    let changed = Changed::of(changed);
    let data = NotificationPreferencesUpdated { version: after.version, changes: changed };
    let write = Write::PutNotificationPreferences {
        preferences: after.clone(),
        expected_version: before.version,
    };
    changes.record(env, write, after.user_id, fields, &data)?;
    Ok(after)
}

fn changed(old: &Map<String, Value>, new: Map<String, Value>) -> Map<String, Value> {
    new.into_iter()
        .filter(|(field, value)| field != "version" && old.get(field) != Some(value))
        .collect()
}

fn fields_of(record: &impl serde::Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(record).map_err(Error::internal)? {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::internal("the record is no object"))
        }
    }
}
