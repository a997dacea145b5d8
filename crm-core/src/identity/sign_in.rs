//! The way in, before there is a session: what all ways have in common.

use std::sync::Arc;

use serde::Serialize;

use super::credential::{
    Authenticators, Credential, SignIn, SignInMethod, SignInName, Standing, StandingOf,
};
use super::model::{User, UserStatus};
use super::secret::{RefreshToken, Secret, TokenKind};
use crate::changes::{Changes, Write};
use crate::crm::{Core, Crm};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Payload;
use crate::events::payload::{SessionStarted, UserSecured};
use crate::id::{SignInId, TenantId, UserId};
use crate::ports::Quota;
use crate::scope::{Actor, Proof, RequestId, SystemScope, TenantScope};
use crate::session::Session;
use crate::tenancy::{Slug, Tenant};
use crate::time::Timestamp;

/// How a request came here, as the front door has seen it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request.
    pub request_id: RequestId,
    /// The network address it came from, by which wrong attempts are counted.
    pub address: Option<String>,
    /// The program, as it names itself; cut to 255 characters.
    pub user_agent: Option<String>,
}

/// Who may come in, and how: the way to a [`Session`] for people and programs outside of the host.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) crm: Crm,
    pub(crate) arrival: Arrival,
}

/// What somebody who is signed in works with.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tokens {
    /// Opens everything that the user may do, for a few minutes.
    pub access_token: Secret,
    /// Gives the next pair of tokens, once.
    pub refresh_token: Secret,
    /// How `access_token` is sent: `Bearer`.
    pub token_type: TokenType,
    /// Seconds until `access_token` ends.
    pub expires_in: u64,
}

/// How a token is sent (RFC 6750).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TokenType {
    /// In the header `Authorization: Bearer`.
    Bearer,
}

/// A user who has come in.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedIn {
    /// The tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Who came in.
    pub user: User,
}

/// Tenants in which one name is looked for.
const MOST_TENANTS: usize = 64;

impl Identity {
    /// A session for who presents `bearer`, an access token or an API key.
    ///
    /// # Errors
    ///
    /// `unauthenticated`; `unavailable` or `internal` from the store.
    pub async fn authenticate(&self, bearer: &str) -> Result<Session> {
        let session = async {
            if bearer.starts_with(TokenKind::ApiKey.prefix()) {
                return self.session_of_key(bearer).await;
            }
            let now = self.core().env.now();
            let claims = self.core().token_keys.verify(bearer, now)?;
            let of = StandingOf::Credential(claims.sid.as_uuid());
            let standing =
                self.crm.standing(claims.tenant_id, of, &self.arrival.request_id).await?;
            let (tenant, user, sign_in) = standing
                .as_deref()
                .and_then(|standing| signed_in(standing, now))
                .filter(|(_, user, _)| user.id == claims.sub)
                .ok_or_else(not_signed_in)?;
            let fresh = now.since(sign_in.proved_at) < self.crm.policy().fresh;
            let proof = Proof::SignIn { id: sign_in.id, fresh };
            Ok(self.crm.session_for(tenant, user, proof, self.arrival.request_id.clone()))
        };
        session.await.map_err(|error: Error| error.in_operation("identity.authenticate"))
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.crm.core()
    }

    pub(super) fn system_scope(&self, reason: &'static str) -> SystemScope {
        SystemScope::new(reason, self.arrival.request_id.clone())
    }

    /// Changes that the user makes by coming in.
    pub(super) fn changes_of(&self, tenant: &Tenant, user: &User) -> Changes {
        let scope = TenantScope::new(
            tenant.id,
            tenant.default_region,
            Actor::User(user.id),
            user.role,
            Proof::Host,
            self.arrival.request_id.clone(),
        );
        Changes::new(&scope, self.core().env.now())
    }

    /// Adds a new sign-in to `changes`. `began` is a moment before anything was looked at.
    pub(super) fn begin(
        &self,
        changes: &mut Changes,
        user: &User,
        method: SignInMethod,
        began: Timestamp,
    ) -> Result<Tokens> {
        let id = self.core().env.new_id()?;
        self.begin_as(id, changes, user, method, began, began)
    }

    /// [`Identity::begin`] with the id that the sign-in shall have, of somebody who has proved who they are
    /// at `proved_at`.
    pub(super) fn begin_as(
        &self,
        id: SignInId,
        changes: &mut Changes,
        user: &User,
        method: SignInMethod,
        began: Timestamp,
        proved_at: Timestamp,
    ) -> Result<Tokens> {
        let (core, policy) = (self.core(), self.crm.policy());
        let token = RefreshToken::first(&core.env, changes.tenant(), id.as_uuid())?;
        let sign_in = SignIn {
            id,
            user_id: user.id,
            method,
            created_at: began,
            proved_at,
            refreshed_at: began,
            expires_at: began.after(policy.idle).min(began.after(policy.lasts)),
            ended_at: None,
            epoch: user.session_epoch,
            user_agent: self.arrival.user_agent.as_deref().map(|text| cut(text, 255)),
            address: self.arrival.address.clone(),
            family: token.family(),
            refresh_token: token.token.digest(),
            previous: None,
            version: 0,
        };
        let data = SessionStarted { user_id: user.id, method };
        put_sign_in(core, changes, sign_in, &data)?;
        self.tokens(changes.tenant(), user.id, &token)
    }

    pub(super) fn tokens(
        &self,
        tenant: TenantId,
        user: UserId,
        refresh: &RefreshToken,
    ) -> Result<Tokens> {
        let core = self.core();
        let sign_in = SignInId::from_uuid(refresh.token.id);
        let now = core.env.now();
        let access = core.token_keys.issue(tenant, user, sign_in, core.env.new_uuid()?, now)?;
        Ok(Tokens {
            access_token: access,
            refresh_token: refresh.text(),
            token_type: TokenType::Bearer,
            expires_in: core.token_keys.expires_in().as_secs(),
        })
    }

    /// The tenant that an attempt names by its id or slug, where it names one; an inner `None` is one that
    /// does not exist.
    pub(super) async fn tenant_named(
        &self,
        system: &SystemScope,
        named: Option<&str>,
    ) -> Result<Option<Option<TenantId>>> {
        let Some(named) = named else { return Ok(None) };
        if let Ok(id) = named.parse::<TenantId>() {
            return Ok(Some(Some(id)));
        }
        let Ok(slug) = named.parse::<Slug>() else { return Ok(Some(None)) };
        let tenant = self.core().store.tenant_by_slug(system, &slug).await?;
        Ok(Some(tenant.map(|tenant| tenant.id)))
    }

    /// The accounts that have this name, in the named tenant where one is named.
    pub(super) async fn accounts(
        &self,
        system: &SystemScope,
        name: &SignInName,
        tenant: Option<Option<TenantId>>,
    ) -> Result<Vec<(TenantId, UserId)>> {
        let mut accounts = self.core().store.accounts(system, name, MOST_TENANTS).await?;
        accounts.retain(|(of, _)| tenant.is_none_or(|tenant| tenant == Some(*of)));
        Ok(accounts)
    }

    /// Counts something against the address that it comes from.
    pub(super) async fn count(&self, what: &str, quota: Quota) -> Result<()> {
        let Some(address) = &self.arrival.address else { return Ok(()) };
        self.core().take_attempt(&format!("{what}:{address}"), quota).await
    }

    /// Counts an attempt as wrong before it is looked at, so that many at once are no way around.
    pub(super) async fn count_attempt(&self, account: &str) -> Result<()> {
        self.count("attempt", self.crm.policy().per_address).await?;
        self.core().take_attempt(account, self.crm.policy().per_account).await
    }

    /// The attempt was right after all.
    pub(super) async fn forgive_attempt(&self, account: &str) -> Result<()> {
        let (limits, now) = (&self.core().limits, self.core().env.now());
        limits.give_back(account, self.crm.policy().per_account, now).await?;
        if let Some(address) = &self.arrival.address {
            let key = format!("attempt:{address}");
            limits.give_back(&key, self.crm.policy().per_address, now).await?;
        }
        Ok(())
    }

    /// Counts a token that nobody has given out.
    pub(super) async fn count_stranger(&self) -> Result<()> {
        self.count("attempt", self.crm.policy().per_address).await
    }
}

impl Core {
    /// Takes one of what `quota` allows, or refuses.
    pub(super) async fn take_attempt(&self, key: &str, quota: Quota) -> Result<()> {
        let allowance = self.limits.take(key, quota, self.env.now()).await?;
        if allowance.allowed {
            return Ok(());
        }
        let message = "too many attempts; wait before the next one";
        Err(Error::rate_limited(message, allowance.retry_after))
    }
}

/// What attempts on an account are counted by, in whatever tenant.
pub(super) fn throttle_of(address: &str) -> String {
    format!("account:{address}")
}

/// The sign-in that a standing shows, with its user, where both are good.
pub(super) fn signed_in(standing: &Standing, now: Timestamp) -> Option<(&Tenant, &User, &SignIn)> {
    let user = standing.user.as_ref().filter(|user| user.status == UserStatus::Active)?;
    let Some(Credential::SignIn(sign_in)) = &standing.credential else { return None };
    let good = sign_in.user_id == user.id
        && sign_in.ended_at.is_none()
        && sign_in.epoch == user.session_epoch
        && now < sign_in.expires_at;
    good.then_some((&standing.tenant, user, sign_in))
}

/// Records that an authenticator of a user has changed; `fields` says which.
pub(super) fn put_authenticators(
    core: &Core,
    changes: &mut Changes,
    own: Authenticators,
    fields: &[&str],
) -> Result<()> {
    record_authenticators(core, changes, own, fields, &UserSecured {})
}

pub(super) fn record_authenticators(
    core: &Core,
    changes: &mut Changes,
    own: Authenticators,
    fields: &[&str],
    data: &impl Payload,
) -> Result<()> {
    let (user, expected_version) = (own.user_id, own.version);
    let own = Authenticators { version: expected_version + 1, ..own };
    let credential = Box::new(Credential::Authenticators(own));
    let write = Write::PutCredential { credential, expected_version };
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    changes.record(&core.env, write, user, fields, data)?;
    Ok(())
}

pub(super) fn put_sign_in(
    core: &Core,
    changes: &mut Changes,
    sign_in: SignIn,
    data: &impl Payload,
) -> Result<()> {
    let (id, expected_version) = (sign_in.id, sign_in.version);
    let sign_in = SignIn { version: expected_version + 1, ..sign_in };
    let credential = Box::new(Credential::SignIn(sign_in));
    let write = Write::PutCredential { credential, expected_version };
    changes.record(&core.env, write, id, Vec::new(), data)?;
    Ok(())
}

/// An account of several tenants needs one to be named.
pub(super) fn tenant_required() -> Error {
    Error::invalid_field(
        "tenant",
        "tenant_required",
        "the account belongs to several tenants; name one by its id or slug",
    )
}

pub(super) fn not_signed_in() -> Error {
    Error::new(ErrorKind::Unauthenticated, "nobody who may work here is signed in")
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
