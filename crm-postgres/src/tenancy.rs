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
        optional_doc(&self.call_for(scope, "tenant_get", vec![id.as_uuid().into()]).await?)
    }

    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        optional_doc(&self.call_for(scope, "tenant_by_slug", vec![slug.as_str().into()]).await?)
    }

    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        let after = after.map_or("", Slug::as_str);
        docs(&self.call_for(scope, "tenant_list", vec![after.into(), bigint(limit).into()]).await?)
    }
}
