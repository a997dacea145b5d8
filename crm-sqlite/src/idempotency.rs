//! Remembered outcomes.

use async_trait::async_trait;
use crm_core::idempotency::Outcome;
use crm_core::ports::IdempotencyStore;
use crm_core::{Changes, Error, Result, TenantScope, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::SqliteStore;
use crate::error::Refused;
use crate::rows::{from_doc, to_doc};

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    outcome: &Outcome,
    changes: &Changes,
) -> Result<(), Refused> {
    let now = changes.at().as_micros();
    // A few of those that are over go with each that comes, so that they do not pile up.
    connection
        .prepare_cached(
            "DELETE FROM outcome WHERE tenant_no = ?1 AND key IN (
                 SELECT key FROM outcome WHERE tenant_no = ?1 AND until <= ?2 ORDER BY until LIMIT 10
             )",
        )?
        .execute(params![tenant, now])?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO outcome (tenant_no, key, until, doc) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant_no, key) DO UPDATE SET until = excluded.until, doc = excluded.doc
                 WHERE outcome.until <= ?5",
        )?
        .execute(params![tenant, outcome.key, outcome.until.as_micros(), to_doc(outcome)?, now])?;
    if inserted == 1 {
        return Ok(());
    }
    let message = "the idempotency key was used before";
    Err(Error::already_exists("idempotency_key", changes.tenant().as_uuid(), message).into())
}

#[async_trait]
impl IdempotencyStore for SqliteStore {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT doc FROM outcome WHERE tenant_no = ?1 AND key = ?2 AND until > ?3",
                )?
                .query_row(params![tenant, key, now.as_micros()], |row| from_doc(row, 0))
                .optional()
        })
    }
}
