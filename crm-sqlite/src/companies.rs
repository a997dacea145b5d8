//! Companies.

use async_trait::async_trait;
use crm_core::companies::{Company, CompanyKey};
use crm_core::ports::CompanyStore;
use crm_core::{CompanyId, Error, Result, TenantScope};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, not_at_version, to_doc, uuid};

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    company: &Company,
) -> Result<(), Refused> {
    let id = company.id.as_uuid();
    connection
        .prepare_cached(
            "INSERT INTO company (tenant_no, id, version, doc) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![tenant, id.as_bytes(), company.version, to_doc(company)?])?;
    insert_keys(connection, tenant, id, &company.keys())
}

pub(crate) fn update(
    connection: &Connection,
    tenant: i64,
    company: &Company,
    expected_version: i64,
    removed: &[CompanyKey],
    added: &[CompanyKey],
) -> Result<(), Refused> {
    let id = company.id.as_uuid();
    let updated = connection
        .prepare_cached(
            "UPDATE company SET version = ?4, doc = ?5
             WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
        )?
        .execute(params![
            tenant,
            id.as_bytes(),
            expected_version,
            company.version,
            to_doc(company)?
        ])?;
    if updated != 1 {
        return Err(not_at_version(connection, "company", tenant, id, expected_version));
    }
    for key in removed {
        let (kind, value) = columns(key);
        connection
            .prepare_cached(
                "DELETE FROM company_key WHERE tenant_no = ?1 AND kind = ?2 AND value = ?3",
            )?
            .execute(params![tenant, kind, value])?;
    }
    insert_keys(connection, tenant, id, added)
}

fn insert_keys(
    connection: &Connection,
    tenant: i64,
    id: Uuid,
    keys: &[CompanyKey],
) -> Result<(), Refused> {
    for key in keys {
        let (kind, value) = columns(key);
        let inserted = connection
            .prepare_cached(
                "INSERT INTO company_key (tenant_no, kind, value, company_id)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![tenant, kind, value, id.as_bytes()]);
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => {
                let holder: Uuid = connection
                    .prepare_cached(
                        "SELECT company_id FROM company_key
                         WHERE tenant_no = ?1 AND kind = ?2 AND value = ?3",
                    )?
                    .query_row(params![tenant, kind, value], |row| uuid(row, 0))?;
                let field = match key {
                    CompanyKey::Name(_) => "name",
                    CompanyKey::Domain(_) => "domain",
                };
                let message = format!("another company has the {field} `{value}`");
                return Err(Error::already_exists(field, holder, message).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn columns(key: &CompanyKey) -> (i64, &str) {
    match key {
        CompanyKey::Name(value) => (0, value),
        CompanyKey::Domain(value) => (1, value),
    }
}

#[async_trait]
impl CompanyStore for SqliteStore {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached("SELECT doc FROM company WHERE tenant_no = ?1 AND id = ?2")?
                .query_row(params![tenant, id.as_uuid().as_bytes()], |row| from_doc(row, 0))
                .optional()
        })
    }

    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        self.readers().read_snapshot_in(scope, |connection, tenant| {
            let mut find = connection.prepare_cached(
                "SELECT company.doc FROM company_key
                 JOIN company ON company.tenant_no = company_key.tenant_no
                             AND company.id = company_key.company_id
                 WHERE company_key.tenant_no = ?1 AND kind = ?2 AND value = ?3",
            )?;
            let mut found: Vec<Company> = Vec::new();
            for key in keys {
                let (kind, value) = columns(key);
                let company: Option<Company> = find
                    .query_row(params![tenant, kind, value], |row| from_doc(row, 0))
                    .optional()?;
                found.extend(company);
            }
            found.sort_by_key(|company| company.id);
            found.dedup_by_key(|company| company.id);
            Ok(found)
        })
    }

    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        self.readers().read_in(scope, |connection, tenant| {
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            connection
                .prepare_cached(
                    "SELECT doc FROM company WHERE tenant_no = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?
                .query_map(params![tenant, after, limit], |row| from_doc(row, 0))?
                .collect()
        })
    }
}
