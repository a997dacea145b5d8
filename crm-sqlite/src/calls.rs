//! Calls.

use async_trait::async_trait;
use crm_core::activities::Direction;
use crm_core::calls::Call;
use crm_core::calls::store::{CallFilter, CallQuery};
use crm_core::ports::CallStore;
use crm_core::{CallId, Error, Result, TelephonyAccountId, TenantScope};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, not_at_version, to_doc, uuid};

const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

pub(crate) fn put(
    connection: &Connection,
    tenant: i64,
    call: &Call,
    expected_version: i64,
) -> Result<(), Refused> {
    let id = call.id.as_uuid();
    let doc = to_doc(call)?;
    let written = if expected_version > 0 {
        connection
            .prepare_cached(
                "UPDATE call SET status = ?4, disposition = ?5, provider_call_id = ?6, version = ?7,
                                 doc = ?8
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                expected_version,
                call.status().as_str(),
                call.disposition,
                call.provider_call_id,
                call.version,
                doc,
            ])
    } else {
        connection
            .prepare_cached(
                "INSERT INTO call (tenant_no, id, contact_id, user_id, direction, status, disposition,
                                   account_id, provider_call_id, started_at, version, doc)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                call.contact_id.map(|id| id.as_uuid().into_bytes()),
                call.user_id.map(|id| id.as_uuid().into_bytes()),
                word(call.direction),
                call.status().as_str(),
                call.disposition,
                call.account_id.map(|id| id.as_uuid().into_bytes()),
                call.provider_call_id,
                call.started_at.as_micros(),
                call.version,
                doc,
            ])
    };
    match written {
        Ok(1) => Ok(()),
        Ok(_) => Err(not_at_version(connection, "call", tenant, id, expected_version)),
        Err(error) if is_taken(&error) => {
            let account = call.account_id.map(|id| id.as_uuid().into_bytes());
            let holder: Option<Uuid> = connection
                .prepare_cached(
                    "SELECT id FROM call
                     WHERE tenant_no = ?1 AND account_id = ?2 AND provider_call_id = ?3",
                )?
                .query_row(params![tenant, account, call.provider_call_id], |row| uuid(row, 0))
                .optional()?;
            match holder {
                Some(holder) => Err(Error::already_exists(
                    "provider_call_id",
                    holder,
                    "another call has the provider's name of this one",
                )
                .into()),
                None => Err(not_at_version(connection, "call", tenant, id, expected_version)),
            }
        }
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl CallStore for SqliteStore {
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached("SELECT doc FROM call WHERE tenant_no = ?1 AND id = ?2")?
                .query_row(params![tenant, id.as_uuid().as_bytes()], |row| from_doc(row, 0))
                .optional()
        })
    }

    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT doc FROM call
                     WHERE tenant_no = ?1 AND account_id = ?2 AND provider_call_id = ?3",
                )?
                .query_row(params![tenant, account.as_uuid().as_bytes(), provider_call_id], |row| {
                    from_doc(row, 0)
                })
                .optional()
        })
    }

    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>> {
        self.readers().read_in(scope, |connection, tenant| page(connection, tenant, query))
    }
}

/// The rows that `filter` means: the index to read, the condition, its values. The filter that narrows most
/// comes last and names the index.
fn meant(tenant: i64, filter: &CallFilter) -> (&'static str, String, Vec<Value>) {
    let mut sql = "tenant_no = ?".to_owned();
    let mut values = vec![Value::Integer(tenant)];
    let mut index = "call_time";
    let mut and = |narrower: &'static str, condition: &str, value: Value| {
        index = narrower;
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(direction) = filter.direction {
        and("call_direction", " AND direction = ?", word(direction).to_owned().into());
    }
    if let Some(status) = filter.status {
        and("call_status", " AND status = ?", status.as_str().to_owned().into());
    }
    if let Some(disposition) = &filter.disposition {
        and("call_disposition", " AND disposition = ?", disposition.clone().into());
    }
    if let Some(user) = filter.user_id {
        and("call_user", " AND user_id = ?", user.as_uuid().as_bytes().to_vec().into());
    }
    if let Some(contact) = filter.contact_id {
        and("call_contact", " AND contact_id = ?", contact.as_uuid().as_bytes().to_vec().into());
    }
    if let Some(from) = filter.from {
        sql.push_str(" AND started_at >= ?");
        values.push(from.as_micros().into());
    }
    if let Some(to) = filter.to {
        sql.push_str(" AND started_at < ?");
        values.push(to.as_micros().into());
    }
    (index, sql, values)
}

fn page(connection: &Connection, tenant: i64, query: &CallQuery) -> rusqlite::Result<Vec<Call>> {
    let (index, mut sql, mut values) = meant(tenant, &query.filter);
    if let Some((at, id)) = query.after {
        sql.push_str(" AND (started_at, id) < (?, ?)");
        values.push(at.as_micros().into());
        values.push(id.as_uuid().as_bytes().to_vec().into());
    }
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    connection
        .prepare_cached(&format!(
            "SELECT doc FROM call INDEXED BY {index} WHERE {sql}
             ORDER BY started_at DESC, id DESC LIMIT ?"
        ))?
        .query_map(params_from_iter(values), |row| from_doc(row, 0))?
        .collect()
}
