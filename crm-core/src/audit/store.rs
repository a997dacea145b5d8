//! What the audit log asks of storage.

use async_trait::async_trait;

use super::model::{AuditEntry, AuditQuery};
use crate::error::Result;
use crate::scope::TenantScope;

/// Reads of the audit log.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// The tenant's entries, newest first.
    ///
    /// # Behavior
    ///
    /// - Entries of other tenants are never returned. (`audit_is_per_tenant`)
    /// - Every write leaves its entry. (`every_write_is_audited`)
    /// - Pages follow each other without a gap or a repetition. (`audit_pages_are_whole`)
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>>;
}
