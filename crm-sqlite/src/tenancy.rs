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
        .prepare_cached("INSERT INTO tenant (id, slug, doc) VALUES (?1, ?2, ?3)")?
        .insert(params![tenant.id.as_uuid().as_bytes(), tenant.slug.as_str(), to_doc(tenant)?]);
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
