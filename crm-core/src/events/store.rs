//! What the event log asks of storage.

use async_trait::async_trait;

use super::model::{EventPosition, RecordedEvent};
use crate::error::Result;
use crate::scope::TenantScope;

/// Reads of the event log.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// The tenant's events after `position`, oldest first, at most `limit`.
    ///
    /// # Behavior
    ///
    /// - Events of other tenants are never returned. (`events_are_per_tenant`)
    /// - Positions grow in the order of commits: a reader that resumes after the last position it
    ///   saw misses none. (`events_resume_without_a_gap`)
    /// - Events of one commit keep the order of their changes. (`events_keep_the_order_of_changes`)
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>>;
}
