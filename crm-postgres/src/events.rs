//! The event log.

use async_trait::async_trait;
use crm_core::events::{Event, EventPosition, RecordedEvent};
use crm_core::ports::EventStore;
use crm_core::{EntityRef, Error, EventId, Result, TenantScope};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;

use crate::PostgresStore;
use crate::rows::{bigint, get, json_text, parsed, timestamp};

#[async_trait]
impl EventStore for PostgresStore {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        // No position is greater than what the database can count to.
        let Ok(after) = i64::try_from(position.0) else { return Ok(Vec::new()) };
        let values = vec![after.into(), bigint(limit).into()];
        self.call(scope, "events_after", values).await?.iter().map(event).collect()
    }
}

fn event(row: &PgRow) -> Result<RecordedEvent> {
    let position: i64 = get(row, "position")?;
    let data = RawValue::from_string(json_text(row, "data")?.to_owned());
    Ok(RecordedEvent {
        position: EventPosition(position.cast_unsigned()),
        event: Event {
            id: EventId::from_uuid(get(row, "id")?),
            name: parsed(row, "name")?,
            occurred_at: timestamp(row, "occurred_at")?,
            actor: parsed(row, "actor")?,
            request_id: parsed(row, "request_id")?,
            subject: EntityRef { kind: parsed(row, "subject_kind")?, id: get(row, "subject_id")? },
            data: data.map_err(Error::internal)?,
        },
    })
}
