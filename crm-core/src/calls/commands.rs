//! Pure decisions about calls.

use serde_json::{Map, Value};

use super::model::{Call, CallView};
use crate::activities::{Activity, ActivityData};
use crate::changes::{Changes, Write};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::Payload;
use crate::events::payload::{
    CallEnded, CallLogged, CallRecorded, CallStarted, CallUpdated, Changed, RecordingDeleted,
};

/// Records a call that is asked for or comes in, with its entry on the contact's timeline.
pub(crate) fn start_call(env: &Env, changes: &mut Changes, call: &Call) -> Result<()> {
    let data = CallStarted { contact_id: call.contact_id, call: &CallView::from(call) };
    record(env, changes, call, 0, Vec::new(), &data)
}

/// Records a call that was made on an ordinary phone, with its entry on the contact's timeline.
pub(crate) fn log_call(env: &Env, changes: &mut Changes, call: &Call) -> Result<()> {
    let data = CallLogged { contact_id: call.contact_id, call: &CallView::from(call) };
    record(env, changes, call, 0, Vec::new(), &data)
}

/// What the event of a call's new state says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallNews {
    /// It has changed; where it is now over and was not, that it is.
    Changed,
    /// A recording can be heard.
    Recorded,
    /// A recording can no longer be heard.
    RecordingDeleted,
}

/// Records a call's new state, at its next version.
pub(crate) fn update_call(
    env: &Env,
    changes: &mut Changes,
    before: &Call,
    after: Call,
    news: CallNews,
) -> Result<Call> {
    let after = Call { version: before.version + 1, updated_at: changes.at(), ..after };
    let ends = after.status().is_end() && !before.status().is_end();
    let (old, new) = (fields_of(before)?, fields_of(&after)?);
    let changed: Map<String, Value> = new
        .into_iter()
        .filter(|(field, value)| {
            field != "version" && field != "updated_at" && old.get(field) != Some(value)
        })
        .collect();
    let fields = changed.keys().cloned().collect();
    let Call { contact_id, version, updated_at, .. } = after;
    let changed = Changed::of(changed);
    macro_rules! record {
        ($payload:ident) => {
            record(
                env,
                changes,
                &after,
                before.version,
                fields,
                &$payload { contact_id, version, updated_at, changes: changed },
            )
        };
    }
    match news {
        CallNews::Changed if ends => record!(CallEnded)?,
        CallNews::Changed => record!(CallUpdated)?,
        CallNews::Recorded => record!(CallRecorded)?,
        CallNews::RecordingDeleted => record!(RecordingDeleted)?,
    }
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
    fields: Vec<String>,
    data: &impl Payload,
) -> Result<()> {
    let write = Write::PutCall { call: Box::new(call.clone()), expected_version };
    let change = changes.record(env, write, call.id, fields, data)?;
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
