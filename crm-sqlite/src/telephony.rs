//! Accounts with carriers.

use async_trait::async_trait;
use crm_core::ports::TelephonyStore;
use crm_core::telephony::TelephonyAccount;
use crm_core::{Error, Result, SystemScope, TenantId, TenantScope};
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, not_at_version, to_doc, uuid};

pub(crate) fn put(
    connection: &Connection,
    tenant: i64,
    account: &TelephonyAccount,
    expected_version: i64,
) -> Result<(), Refused> {
    let id = account.id.as_uuid();
    let doc = to_doc(account)?;
    if expected_version > 0 {
        let updated = connection
            .prepare_cached(
                "UPDATE telephony_account SET version = ?4, doc = ?5
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![tenant, id.as_bytes(), expected_version, account.version, doc])?;
        return match updated {
            1 => Ok(()),
            _ => Err(not_at_version(connection, "telephony_account", tenant, id, expected_version)),
        };
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO telephony_account (tenant_no, id, provider, name, version, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            tenant,
            id.as_bytes(),
            account.provider,
            account.name,
            account.version,
            doc
        ]);
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => {
            let holder: Uuid = connection
                .prepare_cached(
                    "SELECT id FROM telephony_account
                     WHERE provider = ?1 AND name = ?2 AND tenant_no = ?3",
                )?
                .query_row(params![account.provider, account.name, tenant], |row| uuid(row, 0))?;
            let message = format!("the account `{}` is kept already", account.name);
            Err(Error::already_exists("name", holder, message).into())
        }
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl TelephonyStore for SqliteStore {
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT doc FROM telephony_account WHERE tenant_no = ?1 ORDER BY id",
                )?
                .query_map([tenant], |row| from_doc(row, 0))?
                .collect()
        })
    }

    async fn accounts_of_carrier(
        &self,
        _: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached(
                    "SELECT tenant.id, telephony_account.doc
                     FROM telephony_account JOIN tenant ON tenant.no = telephony_account.tenant_no
                     WHERE provider = ?1 AND name = ?2 ORDER BY tenant.id LIMIT ?3",
                )?
                .query_map(params![provider, name, limit], |row| {
                    Ok((TenantId::from_uuid(uuid(row, 0)?), from_doc(row, 1)?))
                })?
                .collect()
        })
    }
}
