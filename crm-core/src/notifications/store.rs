//! What notifications ask of storage.

use async_trait::async_trait;

use super::model::{Notification, NotificationKind, NotificationPreferences};
use crate::error::Result;
use crate::id::{NotificationId, UserId};
use crate::scope::TenantScope;
use crate::time::Timestamp;

/// Which of a person's notifications.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// All, newest first.
    #[default]
    All,
    /// Those that were not read, newest first.
    Unread,
    /// Those that were not delivered, oldest first.
    Undelivered,
}

/// One page of a person's notifications, by `created_at`, then by id.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationQuery {
    /// Whose.
    pub user_id: UserId,
    /// Which, and in which order.
    pub which: Which,
    /// Of this kind.
    pub kind: Option<NotificationKind>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Only those that come after this one in the order.
    pub after: Option<(Timestamp, NotificationId)>,
    /// At most so many.
    pub limit: usize,
}

/// Reads of notifications.
#[async_trait]
pub trait NotificationStore: Send + Sync + 'static {
    /// A person's notifications.
    ///
    /// # Behavior
    ///
    /// - What was committed is read back as it was. (`a_notification_is_read_as_written`)
    /// - Those of other people and of other tenants are never returned. (`notifications_are_ones_own`)
    /// - Unread and undelivered ones are found until they are marked; undelivered ones come oldest first.
    ///   (`notifications_are_found_until_marked`)
    /// - Pages follow each other without a gap or a repetition, and both filters hold.
    ///   (`notification_pages_are_whole`)
    async fn notifications(
        &self,
        scope: &TenantScope,
        query: &NotificationQuery,
    ) -> Result<Vec<Notification>>;

    /// Those of a person's notifications that have these ids, in the order of the ids.
    ///
    /// # Behavior
    ///
    /// - Those of other people and of other tenants are never returned. (`notifications_are_ones_own`)
    async fn notifications_by_id(
        &self,
        scope: &TenantScope,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<Notification>>;

    /// What a person has chosen; `None` where they have chosen nothing.
    ///
    /// # Behavior
    ///
    /// - What was committed is read back as it was, and is the person's own.
    ///   (`notification_preferences_are_ones_own`)
    async fn notification_preferences(
        &self,
        scope: &TenantScope,
        user: UserId,
    ) -> Result<Option<NotificationPreferences>>;
}
