//! The event log.

use async_trait::async_trait;
use crm_core::events::{Event, EventPosition, RecordedEvent};
use crm_core::ports::EventStore;
use crm_core::{EntityRef, EventId, Result, TenantScope};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;

use crate::SqliteStore;
use crate::error::Refused;
use crate::rows::{parsed, timestamp, unreadable, uuid};

pub(crate) fn insert(connection: &Connection, tenant: i64, event: &Event) -> Result<(), Refused> {
    connection
        .prepare_cached(
            "INSERT INTO event (tenant_no, id, name, occurred_at, actor, request_id,
                                subject_kind, subject_id, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            tenant,
            event.id.as_uuid().as_bytes(),
            event.name.as_str(),
            event.occurred_at.as_micros(),
            event.actor.to_string(),
            event.request_id.as_str(),
            event.subject.kind.as_str(),
            event.subject.id.as_bytes(),
            event.data.get(),
        ])?;
    Ok(())
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        self.readers().read_in(scope, |connection, tenant| {
            // One writer: positions are given in the order of commits.
            let Ok(after) = i64::try_from(position.0) else {
                return Ok(Vec::new());
            };
            connection
                .prepare_cached(
                    "SELECT position, id, name, occurred_at, actor, request_id, subject_kind,
                            subject_id, data
                     FROM event WHERE tenant_no = ?1 AND position > ?2
                     ORDER BY position LIMIT ?3",
                )?
                .query_map(params![tenant, after, limit], |row| {
                    let data = RawValue::from_string(row.get(8)?);
                    Ok(RecordedEvent {
                        position: EventPosition(row.get(0)?),
                        event: Event {
                            id: EventId::from_uuid(uuid(row, 1)?),
                            name: parsed(row, 2)?,
                            occurred_at: timestamp(row, 3)?,
                            actor: parsed(row, 4)?,
                            request_id: parsed(row, 5)?,
                            subject: EntityRef { kind: parsed(row, 6)?, id: uuid(row, 7)? },
                            data: data.map_err(|error| unreadable(8, error))?,
                        },
                    })
                })?
                .collect()
        })
    }
}
