//! Users.

use async_trait::async_trait;
use crm_core::identity::{Credential, CredentialKind, SignInName, Standing, StandingOf, User};
use crm_core::ports::IdentityStore;
use crm_core::{Error, Result, SystemScope, TenantId, TenantScope, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::rows::{from_doc, not_at_version, optional_doc, to_doc, uuid};

pub(crate) fn insert(connection: &Connection, tenant: i64, user: &User) -> Result<(), Refused> {
    let email = user.email.key();
    let inserted = connection
        .prepare_cached(
            "INSERT INTO user (tenant_no, id, email_key, version, doc) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![tenant, user.id.as_uuid().as_bytes(), email, user.version, to_doc(user)?]);
    match inserted {
        Ok(_) => insert_name(connection, tenant, &SignInName::of_email(&user.email), user.id),
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

/// Notes what a user is found by before the tenant is known.
fn insert_name(
    connection: &Connection,
    tenant: i64,
    name: &SignInName,
    user: UserId,
) -> Result<(), Refused> {
    connection
        .prepare_cached("INSERT INTO sign_in_name (value, tenant_no, user_id) VALUES (?1, ?2, ?3)")?
        .execute(params![name.as_str(), tenant, user.as_uuid().as_bytes()])?;
    Ok(())
}

/// Writes a credential: a new one where `expected_version` is 0.
pub(crate) fn put(
    connection: &Connection,
    tenant: i64,
    credential: &Credential,
    expected_version: i64,
    now: Timestamp,
) -> Result<(), Refused> {
    let id = credential.id();
    let useless_from = credential.useless_from().unwrap_or(Timestamp::MAX).as_micros();
    let (version, doc) = (credential.version(), to_doc(credential)?);
    if expected_version > 0 {
        let updated = connection
            .prepare_cached(
                "UPDATE credential SET version = ?4, useless_from = ?5, doc = ?6
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                expected_version,
                version,
                useless_from,
                doc
            ])?;
        return match updated {
            1 => Ok(()),
            _ => Err(not_at_version(connection, "credential", tenant, id, expected_version)),
        };
    }
    let user = credential.user_id().map(|user| *user.as_uuid().as_bytes());
    let kind = credential.kind().as_str();
    if credential.kind() == CredentialKind::SignIn {
        connection
            .prepare_cached(
                "DELETE FROM credential
                 WHERE tenant_no = ?1 AND user_id = ?2 AND kind = ?3 AND useless_from <= ?4",
            )?
            .execute(params![tenant, user, kind, now.as_micros()])?;
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO credential (tenant_no, id, kind, user_id, useless_from, version, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (tenant_no, id) DO NOTHING",
        )?
        .execute(params![tenant, id.as_bytes(), kind, user, useless_from, version, doc])?;
    if inserted == 0 {
        return Err(not_at_version(connection, "credential", tenant, id, 0));
    }
    match (credential.sign_in_name(), credential.user_id()) {
        (Some(name), Some(user)) => insert_name(connection, tenant, &name, user),
        (Some(_) | None, _) => Ok(()),
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

    async fn standing(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        let (user, credential) = match of {
            StandingOf::User(id) => (Some(*id.as_uuid().as_bytes()), None),
            StandingOf::Credential(id) => (None, Some(*id.as_bytes())),
        };
        self.readers().read(|connection| {
            connection
                .prepare_cached(
                    "SELECT tenant.doc, user.doc, credential.doc FROM tenant
                     LEFT JOIN credential
                         ON credential.tenant_no = tenant.no AND credential.id = ?3
                     LEFT JOIN user
                         ON user.tenant_no = tenant.no AND user.id = coalesce(?2, credential.user_id)
                     WHERE tenant.id = ?1",
                )?
                .query_row(params![tenant.as_uuid().as_bytes(), user, credential], |row| {
                    Ok(Standing {
                        tenant: from_doc(row, 0)?,
                        user: optional_doc(row, 1)?,
                        credential: optional_doc(row, 2)?,
                    })
                })
                .optional()
        })
    }

    async fn accounts(
        &self,
        _: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached(
                    "SELECT tenant.id, sign_in_name.user_id
                     FROM sign_in_name JOIN tenant ON tenant.no = sign_in_name.tenant_no
                     WHERE sign_in_name.value = ?1 ORDER BY tenant.id LIMIT ?2",
                )?
                .query_map(params![name.as_str(), limit], |row| {
                    Ok((TenantId::from_uuid(uuid(row, 0)?), UserId::from_uuid(uuid(row, 1)?)))
                })?
                .collect()
        })
    }

    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
        let user = user.map(|user| *user.as_uuid().as_bytes());
        let sql = match user {
            Some(_) => {
                "SELECT doc FROM credential
                 WHERE tenant_no = ?1 AND user_id = ?2 AND kind = ?3 AND id > ?4
                 ORDER BY id LIMIT ?5"
            }
            None => {
                "SELECT doc FROM credential
                 WHERE tenant_no = ?1 AND ?2 IS NULL AND kind = ?3 AND id > ?4
                 ORDER BY id LIMIT ?5"
            }
        };
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(sql)?
                .query_map(params![tenant, user, kind.as_str(), after, limit], |row| {
                    from_doc(row, 0)
                })?
                .collect()
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
