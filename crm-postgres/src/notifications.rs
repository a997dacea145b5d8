//! Notifications, and what people want of them.

use async_trait::async_trait;
use crm_core::notifications::{Notification, NotificationPreferences, NotificationQuery, Which};
use crm_core::ports::NotificationStore;
use crm_core::{NotificationId, Result, TenantScope, Timestamp, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, optional_doc};
use crate::statement::Statement;

#[async_trait]
impl NotificationStore for PostgresStore {
    async fn notifications(
        &self,
        scope: &TenantScope,
        query: &NotificationQuery,
    ) -> Result<Vec<Notification>> {
        let (which, than, order) = match query.which {
            Which::All => ("", "<", "desc"),
            Which::Unread => (" and unread", "<", "desc"),
            Which::Undelivered => (" and pending", ">", "asc"),
        };
        let schema = &self.inner.schema;
        let mut statement =
            Statement::new(format!("select doc from {schema}.notifications where tenant_id = "));
        statement.value(scope.tenant().as_uuid().into());
        statement.push(" and user_id = ");
        statement.value(query.user_id.as_uuid().into());
        statement.push(which);
        if let Some(kind) = query.kind {
            statement.push(" and kind = ");
            statement.value(kind.as_str().into());
        }
        if let Some(from) = query.from {
            statement.push(" and created_at >= ");
            statement.value(from.into());
        }
        let (at, id) = match (query.after, query.which) {
            (Some((at, id)), Which::All | Which::Unread | Which::Undelivered) => (at, id.as_uuid()),
            // What comes before or after all others.
            (None, Which::All | Which::Unread) => (Timestamp::MAX, Uuid::max()),
            (None, Which::Undelivered) => (Timestamp::MIN, Uuid::nil()),
        };
        statement.push(&format!(" and (created_at, id) {than} ("));
        statement.value(at.into());
        statement.push(", ");
        statement.value(id.into());
        statement.push(&format!(") order by created_at {order}, id {order} limit "));
        statement.value(bigint(query.limit).into());
        docs(&self.ask_in_transaction(scope, Statement::list_of(statement)).await?)
    }

    async fn notifications_by_id(
        &self,
        scope: &TenantScope,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<Notification>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let values = vec![user.as_uuid().into(), ids.into()];
        docs(&self.call(scope, "notifications_by_id", values).await?)
    }

    async fn notification_preferences(
        &self,
        scope: &TenantScope,
        user: UserId,
    ) -> Result<Option<NotificationPreferences>> {
        let values = vec![user.as_uuid().into()];
        optional_doc(&self.call(scope, "notification_preferences_get", values).await?)
    }
}
