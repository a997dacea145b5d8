//! Tenants.

use async_trait::async_trait;
use crm_core::ports::TenancyStore;
use crm_core::tenancy::{Slug, Tenant};
use crm_core::{Error, Result, SystemScope, TenantId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, to_doc, uuid};

/// Inserts a tenant and returns its number.
pub(crate) fn insert(connection: &Connection, tenant: &Tenant) -> Result<i64, Refused> {
    let inserted = connection
        .prepare_cached("INSERT INTO tenant (id, slug, version, doc) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![
            tenant.id.as_uuid().as_bytes(),
            tenant.slug.as_str(),
            tenant.version,
            to_doc(tenant)?
        ]);
    match inserted {
        Ok(number) => Ok(number),
        Err(error) if is_taken(&error) => {
            let holder: Uuid = connection
                .prepare_cached("SELECT id FROM tenant WHERE slug = ?1")?
                .query_row([tenant.slug.as_str()], |row| uuid(row, 0))?;
            let message = format!("another tenant has the slug `{}`", tenant.slug);
            Err(Error::already_exists("slug", holder, message).into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn update(
    connection: &Connection,
    number: i64,
    tenant: &Tenant,
    expected_version: i64,
) -> Result<(), Refused> {
    let updated = connection
        .prepare_cached("UPDATE tenant SET version = ?3, doc = ?4 WHERE no = ?1 AND version = ?2")?
        .execute(params![number, expected_version, tenant.version, to_doc(tenant)?])?;
    if updated == 1 {
        return Ok(());
    }
    let found = connection
        .prepare_cached("SELECT version FROM tenant WHERE no = ?1")?
        .query_row([number], |row| row.get(0))?;
    Err(Error::version_conflict("tenant", expected_version, found).into())
}

#[async_trait]
impl TenancyStore for SqliteStore {
    async fn tenant(&self, _: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached("SELECT doc FROM tenant WHERE id = ?1")?
                .query_row([id.as_uuid().as_bytes()], |row| from_doc(row, 0))
                .optional()
        })
    }

    async fn tenant_by_slug(&self, _: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached("SELECT doc FROM tenant WHERE slug = ?1")?
                .query_row([slug.as_str()], |row| from_doc(row, 0))
                .optional()
        })
    }

    async fn tenants(
        &self,
        _: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached("SELECT doc FROM tenant WHERE slug > ?1 ORDER BY slug LIMIT ?2")?
                .query_map(params![after.map_or("", Slug::as_str), limit], |row| from_doc(row, 0))?
                .collect()
        })
    }
}
