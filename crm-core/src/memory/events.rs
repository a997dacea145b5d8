//! Reads of the event log.

use async_trait::async_trait;

use super::MemoryStore;
use crate::error::Result;
use crate::events::store::EventStore;
use crate::events::{EventPosition, RecordedEvent};
use crate::scope::TenantScope;

#[async_trait]
impl EventStore for MemoryStore {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        Ok(self.of(scope.tenant(), |data| {
            (1u64..)
                .map(EventPosition)
                .zip(&data.events)
                .filter(|(own, _)| *own > position)
                .take(limit)
                .map(|(position, event)| RecordedEvent { position, event: event.clone() })
                .collect()
        }))
    }
}
