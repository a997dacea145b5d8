//! What privacy asks of storage.

use async_trait::async_trait;

use super::model::Consent;
use crate::error::Result;
use crate::id::ContactId;
use crate::scope::TenantScope;

/// Reads of consents.
#[async_trait]
pub trait PrivacyStore: Send + Sync + 'static {
    /// The latest consent of each purpose of these contacts; all that they ever said where `history`.
    /// By contact, then the newest first.
    ///
    /// # Behavior
    ///
    /// - What was said last holds; all of it is kept. (`the_latest_consent_holds`)
    /// - Consents of another tenant are not found. (`consents_are_per_tenant`)
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>>;
}
