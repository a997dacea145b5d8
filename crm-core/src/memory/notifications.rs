//! Notifications.

use async_trait::async_trait;

use super::MemoryStore;
use crate::error::Result;
use crate::id::{NotificationId, UserId};
use crate::notifications::store::NotificationStore;
use crate::notifications::{Notification, NotificationPreferences, NotificationQuery, Which};
use crate::scope::TenantScope;

#[async_trait]
impl NotificationStore for MemoryStore {
    async fn notifications(
        &self,
        scope: &TenantScope,
        query: &NotificationQuery,
    ) -> Result<Vec<Notification>> {
        Ok(self.of(scope.tenant(), |data| {
            let meant = |known: &&Notification| {
                known.user_id == query.user_id
                    && query.kind.is_none_or(|kind| known.kind == kind)
                    && query.from.is_none_or(|from| known.created_at >= from)
                    && match query.which {
                        Which::All => true,
                        Which::Unread => known.read_at.is_none(),
                        Which::Undelivered => known.delivered_at.is_none(),
                    }
            };
            let place = |known: &Notification| (known.created_at, known.id);
            let mut found: Vec<Notification> =
                data.notifications.values().filter(meant).cloned().collect();
            found.sort_by_key(place);
            match query.which {
                Which::All | Which::Unread => {
                    found.reverse();
                    found.retain(|known| query.after.is_none_or(|after| place(known) < after));
                }
                Which::Undelivered => {
                    found.retain(|known| query.after.is_none_or(|after| place(known) > after));
                }
            }
            found.truncate(query.limit);
            found
        }))
    }

    async fn notifications_by_id(
        &self,
        scope: &TenantScope,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<Notification>> {
        Ok(self.of(scope.tenant(), |data| {
            let known = data.notifications.values();
            let meant = |known: &&Notification| known.user_id == user && ids.contains(&known.id);
            known.filter(meant).cloned().collect()
        }))
    }

    async fn notification_preferences(
        &self,
        scope: &TenantScope,
        user: UserId,
    ) -> Result<Option<NotificationPreferences>> {
        Ok(self.of(scope.tenant(), |data| data.notification_preferences.get(&user).cloned()))
    }
}
