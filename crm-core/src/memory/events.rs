//! Reads of the event log.

use async_trait::async_trait;

use super::MemoryStore;
use super::tenant::EventLog;
use crate::error::Result;
use crate::events::store::EventStore;
use crate::events::{EventBounds, EventPosition, GroupName, GroupProgress, RecordedEvent};
use crate::scope::TenantScope;
use crate::time::Timestamp;

impl EventLog {
    /// In the order of commits; an event's position is its number, from 1.
    fn positions(&self) -> impl Iterator<Item = EventPosition> {
        (self.forgotten + 1..).map(EventPosition)
    }

    fn bounds(&self) -> EventBounds {
        let kept = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        let end = EventPosition(self.forgotten.saturating_add(kept));
        EventBounds { horizon: EventPosition(self.forgotten), end, newest: end }
    }

    pub(super) fn check_progress(&self, progress: &GroupProgress) -> Result<()> {
        let is_there = self.groups.get(&progress.group).copied() == progress.from;
        if is_there { Ok(()) } else { Err(progress.refused()) }
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        Ok(self.of(scope.tenant(), |data| {
            let log = &data.log;
            log.positions()
                .zip(&log.events)
                .filter(|(own, _)| *own > position)
                .take(limit)
                .map(|(position, event)| RecordedEvent { position, event: event.clone() })
                .collect()
        }))
    }

    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        Ok(self.of(scope.tenant(), |data| data.log.bounds()))
    }

    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        Ok(self.of(scope.tenant(), |data| data.log.groups.get(group).copied()))
    }

    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let mut tenants = self.write();
        let Some(data) = tenants.get_mut(&scope.tenant()) else { return Ok(0) };
        let log = &mut data.log;
        let old = log.events.iter().take(limit).take_while(|event| event.occurred_at < before);
        let old = old.count();
        log.events.drain(..old);
        log.forgotten += u64::try_from(old).unwrap_or_default();
        Ok(old)
    }
}
