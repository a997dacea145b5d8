//! Remembered outcomes.

use async_trait::async_trait;
use crm_core::idempotency::Outcome;
use crm_core::ports::IdempotencyStore;
use crm_core::{Result, TenantScope, Timestamp};

use crate::PostgresStore;
use crate::rows::optional_doc;

#[async_trait]
impl IdempotencyStore for PostgresStore {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        optional_doc(&self.call(scope, "outcome_get", vec![key.into(), now.into()]).await?)
    }
}
