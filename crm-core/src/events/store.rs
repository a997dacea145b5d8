//! What the event log asks of storage.

use async_trait::async_trait;

use super::group::GroupName;
use super::model::{EventBounds, EventPosition, RecordedEvent};
use crate::error::Result;
use crate::scope::TenantScope;
use crate::time::Timestamp;

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

    /// How far the tenant's log goes.
    ///
    /// # Behavior
    ///
    /// - Who reads on from the end misses nothing, and nothing after the newest is there.
    ///   (`the_bounds_of_the_log`)
    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds>;

    /// How far a group has come; `None` where it has none of that name.
    ///
    /// # Behavior
    ///
    /// - A unit of work moves the group together with its effect, if the group is where the unit found it;
    ///   else the unit is refused with `conflict`. (`a_group_moves_with_its_effect`, `a_group_moves_once`)
    /// - Groups are the tenant's. (`groups_are_per_tenant`)
    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>>;

    /// Forgets the tenant's oldest events up to the first that happened at or after `before`, at most
    /// `limit`, and returns how many. The horizon moves in the same transaction.
    ///
    /// # Behavior
    ///
    /// - What is forgotten is gone from the beginning of the log, and the horizon says how far.
    ///   (`old_events_are_forgotten`)
    /// - Positions are never given again. (`positions_are_not_given_again`)
    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize>;
}
