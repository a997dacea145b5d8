//! The event log.

use async_trait::async_trait;
use crm_core::events::{
    Event, EventBounds, EventPosition, GroupName, GroupProgress, RecordedEvent,
};
use crm_core::ports::EventStore;
use crm_core::{EntityRef, EventId, Result, TenantId, TenantScope, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;

use crate::SqliteStore;
use crate::error::Refused;
use crate::readers::tenant_number;
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

/// Moves a group from where its reader found it.
pub(crate) fn move_group(
    connection: &Connection,
    tenant: i64,
    progress: &GroupProgress,
) -> Result<(), Refused> {
    let (name, to) = (progress.group.as_str(), progress.to.0);
    let moved = match progress.from {
        None => connection
            .prepare_cached(
                "INSERT INTO event_group (tenant_no, name, position) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![tenant, name, to])?,
        Some(from) => connection
            .prepare_cached(
                "UPDATE event_group SET position = ?3
                 WHERE tenant_no = ?1 AND name = ?2 AND position = ?4",
            )?
            .execute(params![tenant, name, to, from.0])?,
    };
    if moved == 0 { Err(progress.refused().into()) } else { Ok(()) }
}

fn forget(
    connection: &Connection,
    tenant: TenantId,
    before: Timestamp,
    limit: usize,
) -> Result<usize, Refused> {
    let Some(tenant) = tenant_number(connection, tenant)? else { return Ok(0) };
    let oldest = connection
        .prepare_cached(
            "SELECT position, occurred_at FROM event
             WHERE tenant_no = ?1 AND position > coalesce(
                 (SELECT position FROM event_horizon WHERE tenant_no = ?1), 0)
             ORDER BY position LIMIT ?2",
        )?
        .query_map(params![tenant, limit], |row| Ok((row.get::<_, i64>(0)?, timestamp(row, 1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let old = oldest.iter().take_while(|(_, at)| *at < before);
    let Some((horizon, _)) = old.last() else { return Ok(0) };
    connection
        .prepare_cached(
            "INSERT INTO event_horizon (tenant_no, position) VALUES (?1, ?2)
             ON CONFLICT (tenant_no) DO UPDATE SET position = excluded.position",
        )?
        .execute(params![tenant, horizon])?;
    Ok(connection
        .prepare_cached("DELETE FROM event WHERE tenant_no = ?1 AND position <= ?2")?
        .execute(params![tenant, horizon])?)
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

    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT (SELECT position FROM event_horizon WHERE tenant_no = ?1),
                            (SELECT position FROM event WHERE tenant_no = ?1 AND position > 0
                             ORDER BY position DESC LIMIT 1)",
                )?
                .query_row(params![tenant], |row| {
                    let horizon: u64 = row.get::<_, Option<u64>>(0)?.unwrap_or_default();
                    // One writer: what is committed can be read.
                    let end = EventPosition(row.get::<_, Option<u64>>(1)?.unwrap_or(horizon));
                    Ok(EventBounds { horizon: EventPosition(horizon), end, newest: end })
                })
        })
    }

    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT position FROM event_group WHERE tenant_no = ?1 AND name = ?2",
                )?
                .query_row(params![tenant, group.as_str()], |row| row.get(0).map(EventPosition))
                .optional()
        })
    }

    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let tenant = scope.tenant();
        self.writer().run(move |connection| forget(connection, tenant, before, limit)).await
    }
}
