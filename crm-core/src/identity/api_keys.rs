//! API keys: how programs come in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::credential::{ApiKey, Credential, CredentialKind, StandingOf};
use super::secret::{OpaqueToken, Secret, TokenKind};
use super::sign_in::{Identity, not_signed_in};
use crate::access::{ManageApiKeys, ReadApiKeys, Role, key_scopes};
use crate::changes::{Changes, Write};
use crate::crm::Core;
use crate::email::shorten;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::Payload;
use crate::events::payload::{ApiKeyCreated, ApiKeyRevoked, ApiKeyUsed};
use crate::id::{ApiKeyId, UserId};
use crate::page::{Page, PageOf, Position, SortKey};
use crate::scope::{Actor, Proof, SystemScope, TenantScope};
use crate::session::Session;
use crate::tenancy::Tenant;
use crate::text::checked_name;
use crate::time::Timestamp;

/// The API keys of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct ApiKeys<'s> {
    pub(crate) session: &'s Session,
}

/// An API key to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What people call it, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub name: String,
    /// What it may do at most; not more than who makes it.
    pub role: Role,
    /// The actions that it may do, e.g. `contacts:read`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1), extend("items" = { "type": "string", "enum": key_scopes().collect::<Vec<_>>() })))]
    pub scopes: Vec<String>,
    /// Until when it can be used; for ever where it is absent.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// An API key as people see it: all but the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ApiKeyInfo {
    /// Identifies the key.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do at most.
    pub role: Role,
    /// The actions that it may do, of those that its role allows.
    pub scopes: Vec<String>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to ten minutes.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// A new API key with its secret, which is not shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreatedApiKey {
    /// The key.
    #[serde(flatten)]
    pub api_key: ApiKeyInfo,
    /// What the program sends as `Authorization: Bearer`.
    pub secret: Secret,
}

impl From<&ApiKey> for ApiKeyInfo {
    fn from(key: &ApiKey) -> Self {
        ApiKeyInfo {
            id: key.id,
            name: key.name.clone(),
            role: key.role,
            scopes: key.scopes.clone(),
            created_by: key.created_by,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            version: key.version,
        }
    }
}

impl ApiKeys<'_> {
    /// Makes a key. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a role above the caller's own; `step_up_required`; `invalid`; `unavailable`
    /// or `internal` from the store.
    pub async fn create(&self, new: NewApiKey) -> Result<CreatedApiKey> {
        self.session
            .run("api_keys.create", async {
                let permit = self.session.authorize::<ManageApiKeys>()?;
                let own = permit.scope().role();
                if !own.includes(new.role) {
                    let message =
                        format!("the role `{own}` may not make keys with the role `{}`", new.role);
                    return Err(Error::new(ErrorKind::Forbidden, message));
                }
                let env = self.session.env();
                let now = env.now();
                let mut refused = Vec::new();
                let name = checked_name("name", "an API key", &new.name)
                    .map_err(|error| refused.push(error))
                    .unwrap_or_default();
                let scopes = checked_scopes(new.scopes, &mut refused);
                if new.expires_at.is_some_and(|until| until <= now) {
                    let message = "`expires_at` is in the past; name a later time";
                    refused.push(FieldError::new("expires_at", "in_the_past", message));
                }
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let id: ApiKeyId = env.new_id()?;
                let token = OpaqueToken::new(env, permit.scope().tenant(), id.as_uuid())?;
                let key = ApiKey {
                    id,
                    name,
                    role: new.role,
                    scopes,
                    secret: token.digest(),
                    created_by: permit.scope().actor().user(),
                    created_at: now,
                    expires_at: new.expires_at,
                    last_used_at: None,
                    revoked_at: None,
                    version: 1,
                };
                let created = CreatedApiKey {
                    api_key: ApiKeyInfo::from(&key),
                    secret: token.text(TokenKind::ApiKey),
                };
                let mut changes = Changes::new(permit.scope(), now);
                let data = ApiKeyCreated { api_key: &created.api_key };
                put(self.session.core(), &mut changes, key, 0, &data)?;
                self.session.commit_made(changes, &created).await?;
                Ok(created)
            })
            .await
    }

    /// The keys in the order in which they were made, also those that are revoked or over.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(&self, page: &Page) -> Result<PageOf<ApiKeyInfo>> {
        self.session
            .run("api_keys.list", async {
                let permit = self.session.authorize::<ReadApiKeys>()?;
                let after = page.position("api_keys")?.map(|position| position.id);
                let limit = page.limit();
                let kind = CredentialKind::ApiKey;
                let store = self.session.store();
                let keys = store.credentials(permit.scope(), kind, None, after, limit + 1).await?;
                let keys = keys.iter().filter_map(|credential| match credential {
                    Credential::ApiKey(key) => Some(ApiKeyInfo::from(key)),
                    Credential::Authenticators(_) | Credential::SignIn(_) | Credential::Link(_) => {
                        None
                    }
                });
                Ok(PageOf::cut(keys.collect(), limit, "api_keys", |last| Position {
                    key: SortKey::Time(last.created_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// Revokes a key, at once and for ever. A key that is revoked stays so.
    ///
    /// # Errors
    ///
    /// `forbidden`; `step_up_required`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn revoke(&self, id: ApiKeyId) -> Result<()> {
        let attempt = || async {
            let (_, key) =
                self.session.authorize_on::<ManageApiKeys, _>("API key", self.load(id)).await?;
            if key.revoked_at.is_some() {
                return Ok(());
            }
            let mut changes = self.session.new_changes();
            let expected = key.version;
            let (version, revoked_at) = (expected + 1, changes.at());
            let key = ApiKey { revoked_at: Some(revoked_at), version, ..key };
            let data = ApiKeyRevoked { version, revoked_at };
            put(self.session.core(), &mut changes, key, expected, &data)?;
            self.session.commit(changes).await
        };
        self.session.run("api_keys.revoke", self.session.retry_contended(false, attempt)).await
    }

    async fn load(&self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let scope = self.session.scope();
        let system = SystemScope::new("revoke an API key", scope.request_id().clone());
        let of = StandingOf::Credential(id.as_uuid());
        let standing = self.session.store().standing(&system, scope.tenant(), of).await?;
        Ok(match standing.and_then(|standing| standing.credential) {
            Some(Credential::ApiKey(key)) => Some(key),
            Some(Credential::Authenticators(_) | Credential::SignIn(_) | Credential::Link(_))
            | None => None,
        })
    }
}

fn checked_scopes(scopes: Vec<String>, refused: &mut Vec<FieldError>) -> Vec<String> {
    if scopes.is_empty() {
        let message = "an API key has at least one scope, e.g. `contacts:read`";
        refused.push(FieldError::new("scopes", "required", message));
    }
    for (place, scope) in scopes.iter().enumerate() {
        if !key_scopes().any(|known| known == scope) {
            let known: Vec<&str> = key_scopes().collect();
            let message =
                format!("`{}` is no scope; choose of {}", shorten(scope), known.join(", "));
            refused.push(FieldError::new(format!("scopes[{place}]"), "unknown_scope", message));
        }
    }
    let known = key_scopes().filter(|known| scopes.iter().any(|scope| scope == known));
    known.map(str::to_owned).collect()
}

fn put(
    core: &Core,
    changes: &mut Changes,
    key: ApiKey,
    expected_version: i64,
    data: &impl Payload,
) -> Result<()> {
    let id = key.id;
    let credential = Box::new(Credential::ApiKey(key));
    let write = Write::PutCredential { credential, expected_version };
    changes.record(&core.env, write, id, Vec::new(), data)?;
    Ok(())
}

impl Identity {
    pub(super) async fn session_of_key(&self, bearer: &str) -> Result<Session> {
        let Some(token) = OpaqueToken::parse(TokenKind::ApiKey, bearer) else {
            return Err(not_signed_in());
        };
        let now = self.core().env.now();
        let of = StandingOf::Credential(token.id);
        let standing = self.crm.standing(token.tenant, of, &self.arrival.request_id).await?;
        let Some(standing) = standing else { return Err(not_signed_in()) };
        let key = match &standing.credential {
            Some(Credential::ApiKey(key)) if key.secret == token.digest() && key.is_live(now) => {
                key
            }
            Some(_) | None => return Err(not_signed_in()),
        };
        self.note_use(&standing.tenant, key, now).await;
        let scope = self.scope_of_key(&standing.tenant, key);
        Ok(Session::new(Arc::clone(self.core()), scope))
    }

    fn scope_of_key(&self, tenant: &Tenant, key: &ApiKey) -> TenantScope {
        TenantScope::new(
            tenant.id,
            tenant.default_region,
            Actor::ApiKey(key.id),
            key.role,
            Proof::Key { scopes: key.scopes.as_slice().into() },
            self.arrival.request_id.clone(),
        )
    }

    /// Notes that the key was used, where the last note is old. A use that cannot be noted is no reason
    /// to refuse it.
    async fn note_use(&self, tenant: &Tenant, key: &ApiKey, now: Timestamp) {
        if key.last_used_at.is_some_and(|last| now.since(last) < ApiKey::USE_RESOLUTION) {
            return;
        }
        let noted = async {
            let mut changes = Changes::new(&self.scope_of_key(tenant, key), now);
            let expected = key.version;
            let version = expected + 1;
            let used = ApiKey { last_used_at: Some(now), version, ..key.clone() };
            let data = ApiKeyUsed { version, last_used_at: now };
            put(self.core(), &mut changes, used, expected, &data)?;
            self.core().commit(changes).await
        };
        match noted.await {
            Ok(()) => {}
            // Another request has noted it.
            Err(error) if error.kind() == ErrorKind::VersionConflict => {}
            Err(error) => {
                tracing::warn!(%error, key = %key.id, "the use of an API key is not noted")
            }
        }
    }
}
