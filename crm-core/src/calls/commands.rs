//! Pure decisions about calls.

use serde_json::{Map, Value, json};

use super::model::{Call, CallView};
use crate::activities::{Activity, ActivityData};
use crate::changes::{Changes, Write};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::EventName;

/// Records a new call, with its entry on the contact's timeline.
pub(crate) fn insert_call(
    env: &Env,
    changes: &mut Changes,
    call: &Call,
    name: EventName,
) -> Result<()> {
    let data = json!({ "call": CallView::from(call) });
    record(env, changes, call, 0, name, Vec::new(), &data)
}

/// Records a call's new state, at its next version. Where it is now over and was not, the event says so.
pub(crate) fn update_call(
    env: &Env,
    changes: &mut Changes,
    before: &Call,
    after: Call,
    name: EventName,
) -> Result<Call> {
    let after = Call { version: before.version + 1, updated_at: changes.at(), ..after };
    let ends = after.status().is_end() && !before.status().is_end();
    let name = if name == EventName::CallUpdated && ends { EventName::CallEnded } else { name };
    let (old, new) = (fields_of(before)?, fields_of(&after)?);
    let changed: Map<String, Value> = new
        .into_iter()
        .filter(|(field, value)| {
            field != "version" && field != "updated_at" && old.get(field) != Some(value)
        })
        .collect();
    let fields = changed.keys().cloned().collect();
    let data = json!({ "version": after.version, "changes": changed });
    record(env, changes, &after, before.version, name, fields, &data)?;
    Ok(after)
}

fn fields_of(call: &Call) -> Result<Map<String, Value>> {
    match serde_json::to_value(CallView::from(call)).map_err(Error::internal)? {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::internal("a call is no object"))
        }
    }
}

fn record(
    env: &Env,
    changes: &mut Changes,
    call: &Call,
    expected_version: i64,
    name: EventName,
    fields: Vec<String>,
    data: &Value,
) -> Result<()> {
    let write = Write::PutCall { call: Box::new(call.clone()), expected_version };
    let change = changes.record(env, write, call.id, name, fields, data)?;
    if let Some(contact_id) = call.contact_id {
        change.shows(Activity {
            id: call.activity_id,
            contact_id,
            occurred_at: call.started_at,
            user_id: call.user_id,
            subject: None,
            body: call.note.clone(),
            data: ActivityData::Call {
                direction: Some(call.direction),
                number: call.other_number().map(ToString::to_string),
                duration_seconds: call.progress.duration_seconds,
                disposition: call.disposition.clone(),
                status: Some(call.status()),
                call_id: Some(call.id),
            },
            created_at: call.created_at,
        });
    }
    Ok(())
}
