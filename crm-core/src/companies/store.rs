//! What companies ask of storage.

use async_trait::async_trait;
use uuid::Uuid;

use super::model::{Company, CompanyKey};
use crate::error::Result;
use crate::id::CompanyId;
use crate::scope::TenantScope;

/// Reads of companies.
#[async_trait]
pub trait CompanyStore: Send + Sync + 'static {
    /// The company with this id.
    ///
    /// # Behavior
    ///
    /// - A company of another tenant is not found. (`companies_are_per_tenant`)
    /// - What was committed is read back as it was. (`a_company_is_read_as_written`)
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>>;

    /// The companies that have any of these names or domains.
    ///
    /// # Behavior
    ///
    /// - A name and a domain are unique in a tenant. (`company_keys_are_unique`)
    /// - A company is found by what it is called now, and no longer by what it was called.
    ///   (`company_keys_follow_updates`)
    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>>;

    /// All companies in the order of their ids, at most `limit` after `after`.
    ///
    /// # Behavior
    ///
    /// - Pages follow each other without a gap or a repetition. (`companies_are_listed`)
    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>>;
}
