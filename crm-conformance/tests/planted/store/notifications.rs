//! Notifications, with their faults.

use async_trait::async_trait;
use crm_core::notifications::{Notification, NotificationPreferences, NotificationQuery, Which};
use crm_core::ports::NotificationStore;
use crm_core::{NotificationId, Result, TenantScope, UserId};
use uuid::Uuid;

use super::{Fault, Planted};

impl Planted {
    fn damaged_notification(&self, mut notification: Notification) -> Notification {
        notification.body = notification.body.map(|body| self.cut(body));
        if self.has(Fault::ForgetsUpdates) {
            notification.read_at = None;
        }
        notification
    }
}

#[async_trait]
impl NotificationStore for Planted {
    async fn notifications(
        &self,
        scope: &TenantScope,
        query: &NotificationQuery,
    ) -> Result<Vec<Notification>> {
        let mut query = query.clone();
        if self.has(Fault::SkipsTies)
            && let Some((_, id)) = &mut query.after
        {
            let end = if query.which == Which::Undelivered { Uuid::max() } else { Uuid::nil() };
            *id = NotificationId::from_uuid(end);
        }
        if self.has(Fault::IncludesEnds) {
            query.from = query.from.map(|from| from.saturating_add_micros(-1));
        }
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.notifications(&scope, &query).await?);
        }
        if query.which == Which::Unread && self.has(Fault::LosesHalf) {
            found.pop();
        }
        Ok(found.into_iter().map(|known| self.damaged_notification(known)).collect())
    }

    async fn notifications_by_id(
        &self,
        scope: &TenantScope,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<Notification>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.notifications_by_id(&scope, user, ids).await?);
        }
        Ok(found.into_iter().map(|known| self.damaged_notification(known)).collect())
    }

    async fn notification_preferences(
        &self,
        scope: &TenantScope,
        user: UserId,
    ) -> Result<Option<NotificationPreferences>> {
        for scope in self.leaks(scope) {
            if let Some(chosen) = self.inner.notification_preferences(&scope, user).await? {
                return Ok(Some(chosen));
            }
        }
        Ok(None)
    }
}
