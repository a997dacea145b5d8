//! Companies.

use async_trait::async_trait;
use crm_core::companies::{Company, CompanyKey};
use crm_core::ports::CompanyStore;
use crm_core::{CompanyId, Result, TenantScope};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, is_text, optional_doc};

/// A key as its columns `kind` and `value`.
pub(crate) fn columns(key: &CompanyKey) -> (i16, &str) {
    match key {
        CompanyKey::Name(value) => (0, value),
        CompanyKey::Domain(value) => (1, value),
    }
}

#[async_trait]
impl CompanyStore for PostgresStore {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        optional_doc(&self.call(scope, "company_get", vec![id.as_uuid().into()]).await?)
    }

    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        let (kinds, texts): (Vec<i16>, Vec<String>) = keys
            .iter()
            .map(columns)
            .filter(|(_, value)| is_text(value))
            .map(|(kind, value)| (kind, value.to_owned()))
            .unzip();
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        docs(&self.call(scope, "company_by_keys", vec![kinds.into(), texts.into()]).await?)
    }

    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        let after = after.unwrap_or(Uuid::nil());
        docs(&self.call(scope, "company_list", vec![after.into(), bigint(limit).into()]).await?)
    }
}
