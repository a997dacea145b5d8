//! What tenancy asks of storage.

use async_trait::async_trait;

use super::model::{Slug, Tenant};
use crate::error::Result;
use crate::id::TenantId;
use crate::scope::SystemScope;

/// Reads of tenants, before one is known.
#[async_trait]
pub trait TenancyStore: Send + Sync + 'static {
    /// The tenant with this id.
    ///
    /// # Behavior
    ///
    /// - A tenant that was committed is found by its id and by its slug. (`tenant_is_found`)
    /// - A change is made from one version, and found by both. (`a_tenant_changes_by_version`)
    async fn tenant(&self, scope: &SystemScope, id: TenantId) -> Result<Option<Tenant>>;

    /// The tenant with this slug.
    ///
    /// # Behavior
    ///
    /// - A slug is unique: a second tenant with it is refused with `already_exists`.
    ///   (`tenant_slug_is_unique`)
    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>>;

    /// All tenants by slug, at most `limit` after `after`.
    ///
    /// # Behavior
    ///
    /// - Pages follow each other without a gap or a repetition. (`tenants_are_listed_by_slug`)
    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>>;
}
