//! Reads of tenants.

use async_trait::async_trait;

use super::MemoryStore;
use crate::error::Result;
use crate::id::TenantId;
use crate::scope::SystemScope;
use crate::tenancy::store::TenancyStore;
use crate::tenancy::{Slug, Tenant};

#[async_trait]
impl TenancyStore for MemoryStore {
    async fn tenant(&self, _: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        Ok(self.read().get(&id).map(|data| data.tenant.clone()))
    }

    async fn tenant_by_slug(&self, _: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        let tenants = self.read();
        let found = tenants.values().find(|data| data.tenant.slug == *slug);
        Ok(found.map(|data| data.tenant.clone()))
    }

    async fn tenants(
        &self,
        _: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        let tenants = self.read();
        let mut found: Vec<&Tenant> = tenants
            .values()
            .map(|data| &data.tenant)
            .filter(|tenant| after.is_none_or(|after| tenant.slug > *after))
            .collect();
        found.sort_by_key(|tenant| &tenant.slug);
        Ok(found.into_iter().take(limit).cloned().collect())
    }
}
