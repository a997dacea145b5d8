//! Reads of companies.

use async_trait::async_trait;
use uuid::Uuid;

use super::MemoryStore;
use crate::companies::store::CompanyStore;
use crate::companies::{Company, CompanyKey};
use crate::error::Result;
use crate::id::CompanyId;
use crate::scope::TenantScope;

#[async_trait]
impl CompanyStore for MemoryStore {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        Ok(self.of(scope.tenant(), |data| data.companies.get(&id).cloned()))
    }

    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        Ok(self.of(scope.tenant(), |data| {
            let companies = data.companies.values();
            let found =
                companies.filter(|company| company.keys().iter().any(|key| keys.contains(key)));
            found.cloned().collect()
        }))
    }

    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        Ok(self.of(scope.tenant(), |data| {
            let companies = data.companies.values();
            let later =
                companies.filter(|company| after.is_none_or(|after| company.id.as_uuid() > after));
            later.take(limit).cloned().collect()
        }))
    }
}
