//! How people come in, before there is a session: registration, sign-in, refresh, tokens.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::credential::{
    Authenticators, Credential, PreviousToken, SignIn, SignInMethod, SignInName, Standing,
    StandingOf,
};
use super::model::{User, UserStatus};
use super::password::{Verdict, check_password, hash_password, verify_password};
use super::secret::{OpaqueToken, Secret, TokenKind};
use crate::changes::{Changes, Write};
use crate::crm::{Core, Crm};
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::EventName;
use crate::id::{SignInId, TenantId, UserId};
use crate::phone::Region;
use crate::ports::Quota;
use crate::scope::{Actor, Proof, RequestId, SystemScope, TenantScope};
use crate::session::Session;
use crate::tenancy::{NewTenant, Slug, Tenant};
use crate::time::Timestamp;

/// How long people stay signed in, and how often they may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInPolicy {
    /// How long a sign-in lasts without being refreshed.
    pub idle: Duration,
    /// How long a sign-in lasts at most.
    pub lasts: Duration,
    /// How long after its use a refresh token gives the same successor again, while that one was not
    /// used: an answer that was lost is no theft (RFC 9700, 4.14).
    pub retry_within: Duration,
    /// How long a proof of identity is fresh enough for an owner's actions.
    pub fresh: Duration,
    /// Wrong attempts on one account.
    pub per_account: Quota,
    /// Wrong attempts from one address.
    pub per_address: Quota,
    /// New tenants from one address.
    pub registrations: Quota,
}

impl Default for SignInPolicy {
    /// 30 days idle, 90 days at most, a retry within 10 s, fresh for 15 minutes; 10 wrong attempts on an
    /// account and then one in 15 minutes, so that no account sees 100 in a day (NIST SP 800-63B-4,
    /// 3.2.2); 30 from an address and then one in 10 s; 10 registrations and then one in 10 minutes.
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        SignInPolicy {
            idle: day * 30,
            lasts: day * 90,
            retry_within: Duration::from_secs(10),
            fresh: Duration::from_secs(15 * 60),
            per_account: Quota::new(10, Duration::from_secs(15 * 60)),
            per_address: Quota::new(30, Duration::from_secs(10)),
            registrations: Quota::new(10, Duration::from_secs(10 * 60)),
        }
    }
}

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

/// A tenant and its owner, who comes in at once.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The tenant's name, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub company_name: String,
    /// The owner's name, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub full_name: String,
    /// The owner's e-mail address.
    #[cfg_attr(feature = "schema", schemars(email, length(min = 3, max = 254)))]
    pub email: String,
    /// The owner's password: at least 15 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 15)))]
    pub password: Secret,
    /// The region of phone numbers without a country code, two letters of ISO 3166; `US` where it is
    /// absent.
    #[serde(default)]
    pub default_region: Option<Region>,
}

/// Somebody who says who they are.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordSignIn {
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: Secret,
    /// The tenant's id or slug, where the address and the password belong to several.
    #[serde(default)]
    pub tenant: Option<String>,
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

/// A new tenant whose owner has come in.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registered {
    /// The tenant.
    pub tenant: Tenant,
    /// Its owner.
    pub user: User,
    /// The owner's tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
}

/// Accounts that one address may have in different tenants, to compare a password with.
const MOST_ACCOUNTS: usize = 8;

impl Identity {
    /// Makes a tenant and its owner, who comes in at once. The tenant's slug follows from its name.
    ///
    /// # Errors
    ///
    /// `invalid` with each refused value; `rate_limited`; `already_exists` when somebody else took the
    /// slug at the same moment; `unavailable` or `internal` from the store.
    pub async fn register(&self, new: Registration) -> Result<Registered> {
        let registered = async {
            self.count("register", self.crm.policy().registrations).await?;
            let context = [&*new.company_name, &new.full_name, &new.email];
            let password = check_password("password", &new.password, &context, false);
            let system = self.crm.system_in_request(REGISTER, self.arrival.request_id.clone());
            let tenant = NewTenant {
                slug: Some(self.free_slug(&new.company_name).await?),
                name: new.company_name,
                default_region: new.default_region.unwrap_or(Region::US),
                owner_email: new.email,
                owner_name: Some(new.full_name),
            };
            let planned = system.plan_tenant(tenant).map_err(as_registration);
            let (tenant, user, mut changes) = match (planned, password) {
                (Ok(planned), Ok(())) => planned,
                (Err(error), Ok(())) => return Err(error),
                (planned, Err(password)) => {
                    let others = planned.err().map(|error| error.fields().to_vec());
                    let fields = others.into_iter().flatten().chain([password]);
                    return Err(Error::invalid(fields.collect()));
                }
            };
            let authenticators = Authenticators {
                password: Some(hash_password(self.core(), &new.password).await?),
                password_set_at: Some(changes.at()),
                ..Authenticators::none(user.id)
            };
            put_authenticators(self.core(), &mut changes, authenticators, &["password"])?;
            let began = changes.at();
            let tokens = self.begin(&mut changes, &user, SignInMethod::Password, began)?;
            self.core().commit(changes).await?;
            Ok(Registered { tenant, user, tokens })
        };
        registered.await.map_err(|error: Error| error.in_operation("identity.register"))
    }

    /// Lets somebody in by their password.
    ///
    /// An unknown address, a wrong password and a disabled user get the same answer after the same time.
    ///
    /// # Errors
    ///
    /// `unauthenticated`; `invalid` on `tenant` when the address and the password belong to several
    /// tenants and none is named; `rate_limited` after too many wrong attempts; `unavailable` or
    /// `internal` from the store.
    pub async fn sign_in(&self, attempt: PasswordSignIn) -> Result<SignedIn> {
        let signed_in = async {
            let email = EmailAddress::parse(&attempt.email).ok();
            let account =
                email.as_ref().map_or_else(|| attempt.email.to_lowercase(), EmailAddress::key);
            let account = format!("account:{account}");
            self.count_attempt(&account).await?;
            let system = self.system_scope("sign in");
            let began = self.core().env.now();
            let mut known = Vec::new();
            if let Some(email) = &email {
                let tenant = match &attempt.tenant {
                    Some(named) => Some(self.tenant_named(named).await?),
                    None => None,
                };
                let name = SignInName::of_email(email);
                for (of, user) in self.core().store.accounts(&system, &name, 64).await? {
                    let wanted = tenant.as_ref().is_none_or(|tenant| *tenant == Some(of));
                    if wanted && known.len() < MOST_ACCOUNTS {
                        let standing = StandingOf::Credential(user.as_uuid());
                        known.extend(self.core().store.standing(&system, of, standing).await?);
                    }
                }
            }
            let mut right = Vec::new();
            for standing in known {
                let Standing { tenant, user: Some(user), credential } = standing else { continue };
                let Some(Credential::Authenticators(own)) = credential else { continue };
                let verdict =
                    verify_password(self.core(), &attempt.password, own.password.as_ref()).await?;
                right.push((tenant, user, own, verdict));
            }
            if right.is_empty() {
                verify_password(self.core(), &attempt.password, None).await?;
            }
            right.retain(|(_, user, _, verdict)| {
                *verdict != Verdict::Wrong && user.status == UserStatus::Active
            });
            let several = right.len() > 1;
            let Some((tenant, user, own, verdict)) = right.pop() else {
                tracing::warn!(
                    request_id = self.arrival.request_id.as_str(),
                    "a sign-in was refused"
                );
                return Err(Error::new(
                    ErrorKind::Unauthenticated,
                    "the e-mail address, the password or the tenant is not right",
                ));
            };
            self.forgive_attempt(&account).await?;
            if several {
                return Err(Error::invalid_field(
                    "tenant",
                    "tenant_required",
                    "the address belongs to several tenants; name one by its id or slug",
                ));
            }
            let mut changes = self.changes_of(&tenant, &user);
            if verdict == Verdict::RightButOld {
                let hash = hash_password(self.core(), &attempt.password).await?;
                let own = Authenticators { password: Some(hash), ..own };
                put_authenticators(self.core(), &mut changes, own, &["password"])?;
            }
            let tokens = self.begin(&mut changes, &user, SignInMethod::Password, began)?;
            self.core().commit(changes).await?;
            Ok(SignedIn { tokens, user })
        };
        signed_in.await.map_err(|error: Error| error.in_operation("identity.sign_in"))
    }

    /// The next tokens for a refresh token, which is used up by it.
    ///
    /// Within [`SignInPolicy::retry_within`] the same token gives the same successor again, as long as
    /// that one was not used.
    ///
    /// # Errors
    ///
    /// `token_reused` when the token was used before: the sign-in has ended; `unauthenticated`;
    /// `rate_limited`; `unavailable` or `internal` from the store.
    pub async fn refresh(&self, token: &Secret) -> Result<Tokens> {
        let refreshed = async {
            let token = OpaqueToken::parse(TokenKind::Refresh, token.reveal());
            let Some(token) = token else {
                self.count_stranger().await?;
                return Err(not_signed_in());
            };
            loop {
                match self.try_refresh(&token).await {
                    // Somebody else was first: look again.
                    Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                    result => return result,
                }
            }
        };
        refreshed.await.map_err(|error: Error| error.in_operation("identity.refresh"))
    }

    async fn try_refresh(&self, token: &OpaqueToken) -> Result<Tokens> {
        let system = self.system_scope("refresh a sign-in");
        let of = StandingOf::Credential(token.id);
        let standing = self.core().store.standing(&system, token.tenant, of).await?;
        let now = self.core().env.now();
        let Some((tenant, user, sign_in)) = standing.and_then(|standing| signed_in(&standing, now))
        else {
            self.count_stranger().await?;
            return Err(not_signed_in());
        };
        let mut changes = self.changes_of(&tenant, &user);
        let presented = token.digest();
        if presented == sign_in.refresh_token {
            let next = OpaqueToken::new(&self.core().env, token.tenant, token.id)?;
            let policy = self.crm.policy();
            let renewed = SignIn {
                refreshed_at: now,
                expires_at: now.after(policy.idle).min(sign_in.created_at.after(policy.lasts)),
                refresh_token: next.digest(),
                previous: Some(PreviousToken {
                    token: presented,
                    used_at: now,
                    successor: token.seal_successor(&next),
                }),
                ..sign_in
            };
            let data = json!({ "user_id": user.id });
            put_sign_in(self.core(), &mut changes, renewed, EventName::SessionRefreshed, &data)?;
            self.core().commit(changes).await?;
            return self.tokens(&tenant, &user, &next);
        }
        if let Some(previous) = &sign_in.previous
            && previous.token == presented
            && now.since(previous.used_at) < self.crm.policy().retry_within
        {
            return self.tokens(&tenant, &user, &token.open_successor(&previous.successor));
        }
        tracing::warn!(
            request_id = self.arrival.request_id.as_str(),
            tenant = %tenant.id,
            user = %user.id,
            "a used refresh token came back: its sign-in is ended"
        );
        let ended = SignIn { ended_at: Some(now), ..sign_in };
        let data = json!({ "user_id": user.id, "reason": "token_reused" });
        put_sign_in(self.core(), &mut changes, ended, EventName::SessionEnded, &data)?;
        self.core().commit(changes).await?;
        Err(Error::new(
            ErrorKind::TokenReused,
            "the refresh token was used before, so its sign-in has ended; sign in again",
        ))
    }

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
                .and_then(|standing| signed_in(&standing, now))
                .filter(|(_, user, _)| user.id == claims.sub)
                .ok_or_else(not_signed_in)?;
            let fresh = now.since(sign_in.proved_at) < self.crm.policy().fresh;
            let proof = Proof::SignIn { id: sign_in.id, fresh };
            Ok(self.crm.session_for(&tenant, &user, proof, self.arrival.request_id.clone()))
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
        let (core, policy) = (self.core(), self.crm.policy());
        let id: SignInId = core.env.new_id()?;
        let token = OpaqueToken::new(&core.env, changes.tenant(), id.as_uuid())?;
        let sign_in = SignIn {
            id,
            user_id: user.id,
            method,
            created_at: began,
            proved_at: began,
            refreshed_at: began,
            expires_at: began.after(policy.idle).min(began.after(policy.lasts)),
            ended_at: None,
            epoch: user.session_epoch,
            user_agent: self.arrival.user_agent.as_deref().map(|text| cut(text, 255)),
            address: self.arrival.address.clone(),
            refresh_token: token.digest(),
            previous: None,
            version: 0,
        };
        let data = json!({ "user_id": user.id, "method": method });
        put_sign_in(core, changes, sign_in, EventName::SessionStarted, &data)?;
        self.tokens_in(changes.tenant(), user.id, &token)
    }

    fn tokens(&self, tenant: &Tenant, user: &User, refresh: &OpaqueToken) -> Result<Tokens> {
        self.tokens_in(tenant.id, user.id, refresh)
    }

    fn tokens_in(&self, tenant: TenantId, user: UserId, refresh: &OpaqueToken) -> Result<Tokens> {
        let core = self.core();
        let sign_in = SignInId::from_uuid(refresh.id);
        let now = core.env.now();
        let access = core.token_keys.issue(tenant, user, sign_in, core.env.new_uuid()?, now)?;
        Ok(Tokens {
            access_token: access,
            refresh_token: refresh.text(TokenKind::Refresh),
            token_type: TokenType::Bearer,
            expires_in: core.token_keys.expires_in().as_secs(),
        })
    }

    /// The tenant with this id or slug.
    async fn tenant_named(&self, named: &str) -> Result<Option<TenantId>> {
        if let Ok(id) = named.parse::<TenantId>() {
            return Ok(Some(id));
        }
        let Ok(slug) = named.parse::<Slug>() else { return Ok(None) };
        let tenant = self.core().store.tenant_by_slug(&self.system_scope("sign in"), &slug).await?;
        Ok(tenant.map(|tenant| tenant.id))
    }

    /// The slug that follows from a name, with a few random letters where it is taken.
    async fn free_slug(&self, name: &str) -> Result<Slug> {
        let suggested = Slug::suggest(name);
        let system = self.system_scope(REGISTER);
        if let Some(slug) = &suggested
            && self.core().store.tenant_by_slug(&system, slug).await?.is_none()
        {
            return Ok(slug.clone());
        }
        let mut bytes = [0; 4];
        self.core().env.fill(&mut bytes)?;
        let letters: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let stem = suggested.as_ref().map_or("tenant", Slug::as_str);
        let stem: String = stem.chars().take(50).collect();
        format!("{}-{letters}", stem.trim_end_matches('-')).parse()
    }

    /// Counts something against the address that it comes from.
    async fn count(&self, what: &str, quota: Quota) -> Result<()> {
        let Some(address) = &self.arrival.address else { return Ok(()) };
        self.take(&format!("{what}:{address}"), quota).await
    }

    async fn take(&self, key: &str, quota: Quota) -> Result<()> {
        let now = self.core().env.now();
        let allowance = self.core().limits.take(key, quota, now).await?;
        if allowance.allowed {
            return Ok(());
        }
        let message = "too many attempts; wait before the next one";
        Err(Error::rate_limited(message, allowance.retry_after))
    }

    /// Counts an attempt as wrong before it is looked at, so that many at once are no way around.
    pub(super) async fn count_attempt(&self, account: &str) -> Result<()> {
        self.count("attempt", self.crm.policy().per_address).await?;
        self.take(account, self.crm.policy().per_account).await
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

const REGISTER: &str = "register a tenant";

/// The sign-in that a standing shows, with its user, where both are good.
pub(super) fn signed_in(standing: &Standing, now: Timestamp) -> Option<(Tenant, User, SignIn)> {
    let user = standing.user.as_ref().filter(|user| user.status == UserStatus::Active)?;
    let Some(Credential::SignIn(sign_in)) = &standing.credential else { return None };
    let good = sign_in.user_id == user.id
        && sign_in.ended_at.is_none()
        && sign_in.epoch == user.session_epoch
        && now < sign_in.expires_at;
    good.then(|| (standing.tenant.clone(), user.clone(), sign_in.clone()))
}

pub(super) fn put_authenticators(
    core: &Core,
    changes: &mut Changes,
    own: Authenticators,
    fields: &[&str],
) -> Result<()> {
    let (user, expected_version) = (own.user_id, own.version);
    let own = Authenticators { version: expected_version + 1, ..own };
    let credential = Box::new(Credential::Authenticators(own));
    let write = Write::PutCredential { credential, expected_version };
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    changes.record(&core.env, write, user, EventName::UserSecured, fields, &json!({}))?;
    Ok(())
}

pub(super) fn put_sign_in(
    core: &Core,
    changes: &mut Changes,
    sign_in: SignIn,
    name: EventName,
    data: &serde_json::Value,
) -> Result<()> {
    let (id, expected_version) = (sign_in.id, sign_in.version);
    let sign_in = SignIn { version: expected_version + 1, ..sign_in };
    let credential = Box::new(Credential::SignIn(sign_in));
    let write = Write::PutCredential { credential, expected_version };
    changes.record(&core.env, write, id, name, Vec::new(), data)?;
    Ok(())
}

pub(super) fn not_signed_in() -> Error {
    Error::new(ErrorKind::Unauthenticated, "nobody who may work here is signed in")
}

/// The fields of a new tenant under the names that a registration gives them.
fn as_registration(error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let renamed = error.fields().iter().map(|field| {
        let name = match field.field.as_str() {
            "name" => "company_name",
            "owner_name" => "full_name",
            "owner_email" => "email",
            other => other,
        };
        FieldError { field: name.to_owned(), ..field.clone() }
    });
    Error::invalid(renamed.collect())
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
