//! The audit log.

use async_trait::async_trait;
use crm_core::audit::{AuditEntry, AuditQuery};
use crm_core::ports::AuditStore;
use crm_core::{AuditId, EntityRef, Result, TenantScope};
use rusqlite::{Connection, Row, params};

use crate::SqliteStore;
use crate::error::Refused;
use crate::rows::{from_doc, parsed, timestamp, to_doc, uuid};

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    entry: &AuditEntry,
) -> Result<(), Refused> {
    connection
        .prepare_cached(
            "INSERT INTO audit (tenant_no, id, at, actor, action, resource_kind, resource_id,
                                request_id, fields)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            tenant,
            entry.id.as_uuid().as_bytes(),
            entry.at.as_micros(),
            entry.actor.to_string(),
            entry.action.action(),
            entry.resource.kind.as_str(),
            entry.resource.id.as_bytes(),
            entry.request_id.as_str(),
            to_doc(&entry.fields)?,
        ])?;
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: AuditId::from_uuid(uuid(row, 0)?),
        at: timestamp(row, 1)?,
        actor: parsed(row, 2)?,
        action: parsed(row, 3)?,
        resource: EntityRef { kind: parsed(row, 4)?, id: uuid(row, 5)? },
        request_id: parsed(row, 6)?,
        fields: from_doc(row, 7)?,
    })
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        self.readers().read_in(scope, |connection, tenant| {
            let before = query.before.map_or([0xff; 17].to_vec(), |id| id.as_bytes().to_vec());
            match query.resource {
                Some(resource) => connection
                    .prepare_cached(
                        "SELECT id, at, actor, action, resource_kind, resource_id, request_id, fields
                         FROM audit INDEXED BY audit_resource
                         WHERE tenant_no = ?1 AND id < ?2 AND resource_kind = ?3
                           AND resource_id = ?4
                         ORDER BY id DESC LIMIT ?5",
                    )?
                    .query_map(
                        params![
                            tenant,
                            before,
                            resource.kind.as_str(),
                            resource.id.as_bytes(),
                            query.limit
                        ],
                        entry,
                    )?
                    .collect(),
                None => connection
                    .prepare_cached(
                        "SELECT id, at, actor, action, resource_kind, resource_id, request_id, fields
                         FROM audit WHERE tenant_no = ?1 AND id < ?2
                         ORDER BY id DESC LIMIT ?3",
                    )?
                    .query_map(params![tenant, before, query.limit], entry)?
                    .collect(),
            }
        })
    }
}
