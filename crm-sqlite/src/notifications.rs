//! Notifications, and what people want of them.

use async_trait::async_trait;
use crm_core::notifications::{Notification, NotificationPreferences, NotificationQuery, Which};
use crm_core::ports::NotificationStore;
use crm_core::{NotificationId, Result, TenantScope, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, not_at_version, to_doc};

pub(crate) fn put(
    connection: &Connection,
    tenant: i64,
    notification: &Notification,
    expected_version: i64,
) -> Result<(), Refused> {
    let id = notification.id.as_uuid();
    let (unread, pending) = (notification.read_at.is_none(), notification.delivered_at.is_none());
    let doc = to_doc(notification)?;
    let written = if expected_version > 0 {
        connection
            .prepare_cached(
                "UPDATE notification SET unread = ?4, pending = ?5, version = ?6, doc = ?7
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                expected_version,
                unread,
                pending,
                notification.version,
                doc,
            ])
    } else {
        connection
            .prepare_cached(
                "INSERT INTO notification (tenant_no, id, user_id, kind, created_at, unread, pending,
                                           version, doc)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                notification.user_id.as_uuid().as_bytes(),
                notification.kind.as_str(),
                notification.created_at.as_micros(),
                unread,
                pending,
                notification.version,
                doc,
            ])
    };
    match written {
        Ok(1) => Ok(()),
        Ok(_) => Err(not_at_version(connection, "notification", tenant, id, expected_version)),
        Err(error) if is_taken(&error) => {
            Err(not_at_version(connection, "notification", tenant, id, expected_version))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn put_preferences(
    connection: &Connection,
    tenant: i64,
    preferences: &NotificationPreferences,
    expected_version: i64,
) -> Result<(), Refused> {
    const TABLE: &str = "notification_preferences";
    let id = preferences.user_id.as_uuid();
    let doc = to_doc(preferences)?;
    let written = if expected_version > 0 {
        connection
            .prepare_cached(
                "UPDATE notification_preferences SET version = ?4, doc = ?5
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![tenant, id.as_bytes(), expected_version, preferences.version, doc])
    } else {
        connection
            .prepare_cached(
                "INSERT INTO notification_preferences (tenant_no, id, version, doc)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![tenant, id.as_bytes(), preferences.version, doc])
    };
    match written {
        Ok(1) => Ok(()),
        Ok(_) => Err(not_at_version(connection, TABLE, tenant, id, expected_version)),
        Err(error) if is_taken(&error) => {
            Err(not_at_version(connection, TABLE, tenant, id, expected_version))
        }
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl NotificationStore for SqliteStore {
    async fn notifications(
        &self,
        scope: &TenantScope,
        query: &NotificationQuery,
    ) -> Result<Vec<Notification>> {
        self.readers().read_in(scope, |connection, tenant| page(connection, tenant, query))
    }

    async fn notifications_by_id(
        &self,
        scope: &TenantScope,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Vec<Notification>> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        self.readers().read_in(scope, |connection, tenant| {
            let mut read = connection.prepare_cached(
                "SELECT doc FROM notification WHERE tenant_no = ?1 AND id = ?2 AND user_id = ?3",
            )?;
            let user = user.as_uuid();
            let mut found = Vec::new();
            for id in &ids {
                let id = id.as_uuid();
                let values = params![tenant, id.as_bytes(), user.as_bytes()];
                found.extend(read.query_row(values, |row| from_doc(row, 0)).optional()?);
            }
            Ok(found)
        })
    }

    async fn notification_preferences(
        &self,
        scope: &TenantScope,
        user: UserId,
    ) -> Result<Option<NotificationPreferences>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(
                    "SELECT doc FROM notification_preferences WHERE tenant_no = ?1 AND id = ?2",
                )?
                .query_row(params![tenant, user.as_uuid().as_bytes()], |row| from_doc(row, 0))
                .optional()
        })
    }
}

fn page(
    connection: &Connection,
    tenant: i64,
    query: &NotificationQuery,
) -> rusqlite::Result<Vec<Notification>> {
    let (index, which, than, order) = match query.which {
        Which::All => ("notification_user", "", "<", "DESC"),
        Which::Unread => ("notification_unread", " AND unread = 1", "<", "DESC"),
        Which::Undelivered => ("notification_pending", " AND pending = 1", ">", "ASC"),
    };
    let mut sql = format!(
        "SELECT doc FROM notification INDEXED BY {index}
         WHERE tenant_no = ? AND user_id = ?{which}"
    );
    let mut values =
        vec![Value::Integer(tenant), query.user_id.as_uuid().as_bytes().to_vec().into()];
    if let Some(kind) = query.kind {
        sql.push_str(" AND kind = ?");
        values.push(kind.as_str().to_owned().into());
    }
    if let Some(from) = query.from {
        sql.push_str(" AND created_at >= ?");
        values.push(from.as_micros().into());
    }
    if let Some((at, id)) = query.after {
        sql.push_str(&format!(" AND (created_at, id) {than} (?, ?)"));
        values.push(at.as_micros().into());
        values.push(id.as_uuid().as_bytes().to_vec().into());
    }
    sql.push_str(&format!(" ORDER BY created_at {order}, id {order} LIMIT ?"));
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| from_doc(row, 0))?
        .collect()
}
