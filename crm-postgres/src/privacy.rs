//! Consents.

use async_trait::async_trait;
use crm_core::ports::PrivacyStore;
use crm_core::privacy::Consent;
use crm_core::{ContactId, Result, TenantScope};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::docs;

#[async_trait]
impl PrivacyStore for PostgresStore {
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>> {
        if contacts.is_empty() {
            return Ok(Vec::new());
        }
        let contacts: Vec<Uuid> = contacts.iter().map(|id| id.as_uuid()).collect();
        docs(&self.call(scope, "consent_list", vec![contacts.into(), history.into()]).await?)
    }
}
