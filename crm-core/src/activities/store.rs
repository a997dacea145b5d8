//! What activities ask of storage.

use async_trait::async_trait;

use super::model::{Activity, ActivityKind, StatsGroup, StatsGroupBy};
use crate::error::Result;
use crate::id::{ActivityId, ContactId, UserId};
use crate::scope::TenantScope;
use crate::time::Timestamp;

/// Which activities are meant; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    /// On this contact's timeline.
    pub contact_id: Option<ContactId>,
    /// Of this kind.
    pub kind: Option<ActivityKind>,
    /// By this user.
    pub user_id: Option<UserId>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// One page of activities, newest first.
#[derive(Debug, Clone, Default)]
pub struct ActivityQuery {
    /// Which activities.
    pub filter: ActivityFilter,
    /// Only those that come after this one, going back in time.
    pub after: Option<(Timestamp, ActivityId)>,
    /// At most so many.
    pub limit: usize,
}

/// Reads of activities.
#[async_trait]
pub trait ActivityStore: Send + Sync + 'static {
    /// The activity with this id.
    ///
    /// # Behavior
    ///
    /// - An activity of another tenant is not found. (`activities_are_per_tenant`)
    /// - What was committed is read back as it was. (`an_activity_is_read_as_written`)
    /// - A contact's changes stand on its timeline. (`contact_changes_are_on_the_timeline`)
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>>;

    /// Activities by `occurred_at`, newest first, then by id, greatest first.
    ///
    /// # Behavior
    ///
    /// - Every filter holds, alone and with the others. (`activities_are_filtered`)
    /// - Pages follow each other without a gap or a repetition, also where many activities have
    ///   one time. (`timeline_pages_are_whole`)
    async fn activities(&self, scope: &TenantScope, query: &ActivityQuery)
    -> Result<Vec<Activity>>;

    /// How many activities there are in each group, in the order of the keys.
    ///
    /// # Behavior
    ///
    /// - The counts are those of the list with the same filter. (`stats_agree_with_the_list`)
    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>>;
}
