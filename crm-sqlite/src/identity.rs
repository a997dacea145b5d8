//! Users.

use async_trait::async_trait;
use crm_core::identity::User;
use crm_core::ports::IdentityStore;
use crm_core::{Error, Result, SystemScope, TenantId, TenantScope, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::readers::tenant_number;
use crate::rows::{from_doc, not_at_version, to_doc, uuid};

pub(crate) fn insert(connection: &Connection, tenant: i64, user: &User) -> Result<(), Refused> {
    let email = user.email.key();
    let inserted = connection
        .prepare_cached(
            "INSERT INTO user (tenant_no, id, email_key, version, doc) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![tenant, user.id.as_uuid().as_bytes(), email, user.version, to_doc(user)?]);
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => {
            let holder: Uuid = connection
                .prepare_cached("SELECT id FROM user WHERE tenant_no = ?1 AND email_key = ?2")?
                .query_row(params![tenant, email], |row| uuid(row, 0))?;
            let message = format!("another user has the e-mail `{email}`");
            Err(Error::already_exists("email", holder, message).into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn update(
    connection: &Connection,
    tenant: i64,
    user: &User,
    expected_version: i64,
) -> Result<(), Refused> {
    let id = user.id.as_uuid();
    let updated = connection
        .prepare_cached(
            "UPDATE user SET version = ?4, doc = ?5
             WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
        )?
        .execute(params![tenant, id.as_bytes(), expected_version, user.version, to_doc(user)?])?;
    match updated {
        1 => Ok(()),
        _ => Err(not_at_version(connection, "user", tenant, id, expected_version)),
    }
}

fn by_id(connection: &Connection, tenant: i64, id: UserId) -> rusqlite::Result<Option<User>> {
    connection
        .prepare_cached("SELECT doc FROM user WHERE tenant_no = ?1 AND id = ?2")?
        .query_row(params![tenant, id.as_uuid().as_bytes()], |row| from_doc(row, 0))
        .optional()
}

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        self.readers().read_in(scope, |connection, tenant| by_id(connection, tenant, id))
    }

    async fn principal(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>> {
        self.readers().read(|connection| match tenant_number(connection, tenant)? {
            Some(tenant) => by_id(connection, tenant, id),
            None => Ok(None),
        })
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        self.readers().read_in(scope, |connection, tenant| {
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            connection
                .prepare_cached(
                    "SELECT doc FROM user WHERE tenant_no = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?
                .query_map(params![tenant, after, limit], |row| from_doc(row, 0))?
                .collect()
        })
    }
}
