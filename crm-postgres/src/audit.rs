//! The audit log.

use async_trait::async_trait;
use crm_core::audit::{AuditEntry, AuditQuery};
use crm_core::ports::AuditStore;
use crm_core::{AuditId, EntityRef, Error, Result, TenantScope};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, get, json_text, parsed, timestamp};

#[async_trait]
impl AuditStore for PostgresStore {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        // Ids are of version 7; this one comes after all of them.
        let before = query.before.unwrap_or(Uuid::max());
        let limit = bigint(query.limit);
        let rows = match query.resource {
            None => self.call(scope, "audit_list", vec![before.into(), limit.into()]).await?,
            Some(resource) => {
                let kind = resource.kind.as_str();
                let values = vec![kind.into(), resource.id.into(), before.into(), limit.into()];
                self.call(scope, "audit_of", values).await?
            }
        };
        rows.iter().map(entry).collect()
    }
}

fn entry(row: &PgRow) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: AuditId::from_uuid(get(row, "id")?),
        at: timestamp(row, "at")?,
        actor: parsed(row, "actor")?,
        action: parsed(row, "action")?,
        resource: EntityRef { kind: parsed(row, "resource_kind")?, id: get(row, "resource_id")? },
        request_id: parsed(row, "request_id")?,
        fields: serde_json::from_str(json_text(row, "fields")?).map_err(Error::internal)?,
    })
}
