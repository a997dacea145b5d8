//! The event log.

use async_trait::async_trait;
use crm_core::events::{Event, EventBounds, EventPosition, GroupName, RecordedEvent};
use crm_core::ports::EventStore;
use crm_core::{EntityRef, Error, EventId, Result, TenantScope, Timestamp};
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

    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        let rows = self.call(scope, "event_bounds", vec![]).await?;
        rows.first().map_or(Ok(EventBounds::default()), |row| {
            Ok(EventBounds {
                horizon: place(row, "horizon")?,
                end: place(row, "end")?,
                newest: place(row, "newest")?,
            })
        })
    }

    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        let rows = self.call(scope, "event_group", vec![group.as_str().into()]).await?;
        rows.first().map(|row| place(row, "position")).transpose()
    }

    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let values = vec![before.into(), bigint(limit).into()];
        let rows = self.call(scope, "forget_events", values).await?;
        let forgotten: i64 = rows.first().map_or(Ok(0), |row| get(row, "forgotten"))?;
        Ok(usize::try_from(forgotten).unwrap_or_default())
    }
}

fn place(row: &PgRow, column: &str) -> Result<EventPosition> {
    let position: i64 = get(row, column)?;
    Ok(EventPosition(position.cast_unsigned()))
}

fn event(row: &PgRow) -> Result<RecordedEvent> {
    let data = RawValue::from_string(json_text(row, "data")?.to_owned());
    Ok(RecordedEvent {
        position: place(row, "position")?,
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
