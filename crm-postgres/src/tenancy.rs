//! Tenants.

use async_trait::async_trait;
use crm_core::ports::TenancyStore;
use crm_core::tenancy::{Slug, Tenant};
use crm_core::{Result, SystemScope, TenantId};

use crate::PostgresStore;
use crate::rows::{bigint, docs, optional_doc};

#[async_trait]
impl TenancyStore for PostgresStore {
    async fn tenant(&self, scope: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        let values = vec![scope.reason().into(), id.as_uuid().into()];
        optional_doc(&self.call("tenant_get", values).await?)
    }

    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        let values = vec![scope.reason().into(), slug.as_str().into()];
        optional_doc(&self.call("tenant_by_slug", values).await?)
    }

    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        let after = after.map_or("", Slug::as_str);
        let values = vec![scope.reason().into(), after.into(), bigint(limit).into()];
        docs(&self.call("tenant_list", values).await?)
    }
}
