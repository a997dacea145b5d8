//! Reads of remembered outcomes.

use async_trait::async_trait;

use super::MemoryStore;
use crate::error::Result;
use crate::idempotency::{IdempotencyStore, Outcome};
use crate::scope::TenantScope;
use crate::time::Timestamp;

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        Ok(self.of(scope.tenant(), |data| {
            data.outcomes.get(key).filter(|outcome| outcome.until > now).cloned()
        }))
    }
}
