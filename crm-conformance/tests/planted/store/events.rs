//! The event log, with its faults.

use async_trait::async_trait;
use crm_core::events::{EventBounds, EventName, EventPosition, GroupName, RecordedEvent};
use crm_core::ports::EventStore;
use crm_core::{Result, TenantScope, Timestamp};

use super::{Fault, Planted};

#[async_trait]
impl EventStore for Planted {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.events_after(&scope, position, limit).await?);
        }
        found.extend(self.left_behind.lock().unwrap().iter().cloned());
        if self.has(Fault::ForgetsEvents) {
            found.retain(|recorded| recorded.event.name != EventName::ContactDeleted);
        }
        if self.has(Fault::ReordersEvents) {
            found.sort_by_key(|recorded| (recorded.event.occurred_at, recorded.event.subject.id));
            found.reverse();
        }
        if self.has(Fault::CountsAnew) {
            let horizon = self.inner.event_bounds(scope).await?.horizon;
            found.iter_mut().for_each(|recorded| recorded.position.0 -= horizon.0);
        }
        Ok(self.paged(found, position == EventPosition::START, None))
    }

    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        let mut bounds = self.inner.event_bounds(scope).await?;
        if self.has(Fault::LooksAhead) {
            bounds.end.0 += 1;
        }
        if self.has(Fault::ForgetsNewest) {
            bounds.newest = bounds.horizon;
        }
        if self.has(Fault::HidesTheHorizon) {
            bounds.horizon = EventPosition::START;
        }
        Ok(bounds)
    }

    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        if let Some(left) = *self.left_progress.lock().unwrap() {
            return Ok(Some(left));
        }
        for scope in self.leaks(scope) {
            if let Some(place) = self.inner.event_group(&scope, group).await? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let before = self.end(Some(before)).unwrap_or(before);
        self.inner.forget_events(scope, before, limit).await
    }
}
