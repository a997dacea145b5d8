//! Reads of the audit log.

use async_trait::async_trait;

use super::MemoryStore;
use crate::audit::store::AuditStore;
use crate::audit::{AuditEntry, AuditQuery};
use crate::error::Result;
use crate::scope::TenantScope;

#[async_trait]
impl AuditStore for MemoryStore {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        Ok(self.of(scope.tenant(), |data| {
            data.audit
                .iter()
                .rev()
                .filter(|(id, _)| query.before.is_none_or(|before| **id < before))
                .map(|(_, entry)| entry)
                .filter(|entry| query.resource.is_none_or(|resource| entry.resource == resource))
                .take(query.limit)
                .cloned()
                .collect()
        }))
    }
}
