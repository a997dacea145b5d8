//! What people do with their own account: who they are, their password, their sessions.

use serde::{Deserialize, Serialize};

use super::credential::{
    Authenticators, Credential, CredentialKind, SignIn, SignInMethod, StandingOf,
};
use super::invitation::put_user;
use super::model::User;
use super::password::{Verdict, check_password, hash_password, verify_password};
use super::password_sign_in::note_failure;
use super::secret::{RefreshToken, Secret};
use super::sign_in::{put_authenticators, put_sign_in, throttle_of};
use crate::access::{ACTIONS, ManageOwnAccount, Role};
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::{SessionEnd, SessionEnded, SessionRefreshed};
use crate::id::{SignInId, UserId};
use crate::scope::{Proof, SystemScope, TenantScope};
use crate::session::Session;
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// The account of the session's user.
#[derive(Debug, Clone, Copy)]
pub struct Account<'s> {
    pub(crate) session: &'s Session,
}

/// Who is signed in, and what they may do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Me {
    /// The user; `null` for an API key.
    pub user: Option<User>,
    /// The tenant.
    pub tenant: Tenant,
    /// What the caller is in it.
    pub role: Role,
    /// The actions that the caller may do.
    pub permissions: Vec<&'static str>,
    /// The session; `null` for an API key.
    pub session: Option<SignInInfo>,
    /// Whether a sign-in by password asks for a code of a second factor.
    pub second_factor: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
}

/// A sign-in as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SignInInfo {
    /// Identifies it.
    pub id: SignInId,
    /// How it began.
    pub method: SignInMethod,
    /// When.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
    /// The program, as it names itself.
    pub user_agent: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// Whether it is the caller's.
    pub current: bool,
}

/// Another password.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password that it was.
    pub current_password: Secret,
    /// The password that it shall be: at least 15 characters, 8 beside a second factor.
    pub new_password: Secret,
}

impl Account<'_> {
    /// Who is signed in.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store; `not_found` in a session of the host's own.
    pub async fn me(&self) -> Result<Me> {
        self.session
            .run("account.me", async {
                let scope = self.session.scope();
                let store = self.session.store();
                let system = self.system("say who is signed in");
                let of = match (scope.proof(), scope.actor().user()) {
                    (Proof::SignIn { id, .. }, _) => StandingOf::Credential(id.as_uuid()),
                    (Proof::Host | Proof::Key { .. }, Some(user)) => StandingOf::User(user),
                    (Proof::Host | Proof::Key { .. }, None) => {
                        StandingOf::Credential(uuid::Uuid::nil())
                    }
                };
                let standing = store.standing(&system, scope.tenant(), of).await?;
                let standing = standing.ok_or_else(|| Error::not_found("tenant"))?;
                let session = match &standing.credential {
                    Some(Credential::SignIn(sign_in)) => Some(self.info(sign_in)),
                    Some(
                        Credential::Authenticators(_) | Credential::ApiKey(_) | Credential::Link(_),
                    )
                    | None => None,
                };
                let own = match &standing.user {
                    Some(user) => self.own(user.id).await?,
                    None => None,
                };
                Ok(Me {
                    second_factor: own.as_ref().is_some_and(Authenticators::has_second_factor),
                    recovery_codes_left: own.map_or(0, |own| own.recovery_codes.len()),
                    user: standing.user,
                    tenant: standing.tenant,
                    role: scope.role(),
                    permissions: permissions(scope),
                    session,
                })
            })
            .await
    }

    /// Changes the password. All other sessions of the user end.
    ///
    /// # Errors
    ///
    /// `invalid` on `current_password` or `new_password`; `forbidden` where nobody is signed in;
    /// `rate_limited` after too many wrong attempts; `unavailable` or `internal` from the store.
    pub async fn change_password(&self, change: ChangePassword) -> Result<()> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let (tenant, user, own) = self.authenticators().await?;
            self.check_own_password("current_password", &user, &own, &change.current_password)
                .await?;
            let context = [user.email.as_str(), &user.full_name, &tenant.name];
            let second = own.has_second_factor();
            check_password("new_password", &change.new_password, &context, second)
                .map_err(|error| Error::invalid(vec![error]))?;
            let core = self.session.core();
            let mut changes = self.session.new_changes();
            let own = Authenticators {
                password: Some(hash_password(core, &change.new_password).await?),
                password_set_at: Some(changes.at()),
                invitation: None,
                failures: 0,
                ..own
            };
            put_authenticators(core, &mut changes, own, &["password"])?;
            let after = User { session_epoch: user.session_epoch + 1, ..user.clone() };
            let user = put_user(&core.env, &mut changes, &user, after)?;
            if let Some(sign_in) = self.current().await? {
                let epoch = user.session_epoch;
                let sign_in = SignIn { epoch, proved_at: changes.at(), ..sign_in };
                let data = SessionRefreshed { user_id: user.id };
                put_sign_in(core, &mut changes, sign_in, &data)?;
            }
            self.session.commit(changes).await
        };
        let changed = self.session.retry_contended(false, attempt);
        self.session.run("account.change_password", changed).await
    }

    /// The user's sessions that have not ended, oldest first.
    ///
    /// # Errors
    ///
    /// `forbidden` where nobody is signed in; `unavailable` or `internal` from the store.
    pub async fn sessions(&self) -> Result<Vec<SignInInfo>> {
        self.session
            .run("account.sessions", async {
                let permit = self.session.authorize::<ManageOwnAccount>()?;
                let user = self.user_id()?;
                let now = self.session.env().now();
                let store = self.session.store();
                let epoch = store.user(permit.scope(), user).await?.map(|user| user.session_epoch);
                let kind = CredentialKind::SignIn;
                let all = store
                    .credentials(permit.scope(), kind, Some(user), None, MOST_SESSIONS)
                    .await?;
                let live = all.iter().filter_map(|credential| match credential {
                    Credential::SignIn(own)
                        if own.ended_at.is_none()
                            && now < own.expires_at
                            && Some(own.epoch) == epoch =>
                    {
                        Some(self.info(own))
                    }
                    Credential::SignIn(_)
                    | Credential::Authenticators(_)
                    | Credential::ApiKey(_)
                    | Credential::Link(_) => None,
                });
                Ok(live.collect())
            })
            .await
    }

    /// Ends one of the user's sessions. One that has ended stays so.
    ///
    /// # Errors
    ///
    /// `forbidden` where nobody is signed in; `not_found`, also for somebody else's; `unavailable` or
    /// `internal` from the store.
    pub async fn end_session(&self, id: SignInId) -> Result<()> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let user = self.user_id()?;
            let sign_in = self.sign_in(id).await?.filter(|sign_in| sign_in.user_id == user);
            let sign_in = sign_in.ok_or_else(|| Error::not_found("session"))?;
            self.end(sign_in, SessionEnd::Ended).await
        };
        let ended = self.session.retry_contended(false, attempt);
        self.session.run("account.end_session", ended).await
    }

    /// Ends the session that this one is, and the one that `refresh_token` belongs to where that is
    /// another of the same user.
    ///
    /// # Errors
    ///
    /// `forbidden` where nobody is signed in; `unavailable` or `internal` from the store.
    pub async fn sign_out(&self, refresh_token: Option<&Secret>) -> Result<()> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let user = self.user_id()?;
            let mut ids = Vec::new();
            if let Proof::SignIn { id, .. } = self.session.scope().proof() {
                ids.push(*id);
            }
            let token = refresh_token
                .and_then(|token| RefreshToken::parse(token.reveal()))
                .map(|refresh| refresh.token)
                .filter(|token| token.tenant == self.session.scope().tenant());
            ids.extend(token.map(|token| SignInId::from_uuid(token.id)));
            ids.dedup();
            for id in ids {
                let sign_in = self.sign_in(id).await?;
                if let Some(sign_in) = sign_in.filter(|sign_in| sign_in.user_id == user) {
                    self.end(sign_in, SessionEnd::SignedOut).await?;
                }
            }
            Ok(())
        };
        let ended = self.session.retry_contended(false, attempt);
        self.session.run("account.sign_out", ended).await
    }

    async fn end(&self, sign_in: SignIn, reason: SessionEnd) -> Result<()> {
        if sign_in.ended_at.is_some() {
            return Ok(());
        }
        let mut changes = self.session.new_changes();
        let data = SessionEnded { user_id: sign_in.user_id, reason };
        let sign_in = SignIn { ended_at: Some(changes.at()), ..sign_in };
        let core = self.session.core();
        put_sign_in(core, &mut changes, sign_in, &data)?;
        self.session.commit(changes).await
    }

    fn info(&self, sign_in: &SignIn) -> SignInInfo {
        let current = matches!(
            self.session.scope().proof(), Proof::SignIn { id, .. } if *id == sign_in.id
        );
        SignInInfo {
            id: sign_in.id,
            method: sign_in.method,
            created_at: sign_in.created_at,
            refreshed_at: sign_in.refreshed_at,
            expires_at: sign_in.expires_at,
            user_agent: sign_in.user_agent.clone(),
            address: sign_in.address.clone(),
            current,
        }
    }

    fn user_id(&self) -> Result<UserId> {
        self.session.scope().actor().user().ok_or_else(|| {
            Error::new(ErrorKind::Forbidden, "only a user has an account; this is none")
        })
    }

    fn system(&self, reason: &'static str) -> SystemScope {
        SystemScope::new(reason, self.session.scope().request_id().clone())
    }

    /// The user with the tenant and how they sign in, as it is now.
    pub(super) async fn authenticators(&self) -> Result<(Tenant, User, Authenticators)> {
        let user = self.user_id()?;
        let own = self.own(user).await?;
        let tenant = self.session.scope().tenant();
        let system = self.system("look after an account");
        let of = StandingOf::User(user);
        let standing = self.session.store().standing(&system, tenant, of).await?;
        match standing.map(|standing| (standing.tenant, standing.user)) {
            Some((tenant, Some(user))) => {
                let own = own.unwrap_or_else(|| Authenticators::none(user.id));
                Ok((tenant, user, own))
            }
            Some((_, None)) | None => Err(Error::not_found("user")),
        }
    }

    /// How a user signs in, where they can.
    async fn own(&self, user: UserId) -> Result<Option<Authenticators>> {
        let of = StandingOf::Credential(user.as_uuid());
        let tenant = self.session.scope().tenant();
        let system = self.system("look after an account");
        let standing = self.session.store().standing(&system, tenant, of).await?;
        Ok(match standing.and_then(|standing| standing.credential) {
            Some(Credential::Authenticators(own)) => Some(own),
            Some(Credential::SignIn(_) | Credential::ApiKey(_) | Credential::Link(_)) | None => {
                None
            }
        })
    }

    /// Compares a password with the user's own, and counts a wrong one as a wrong sign-in.
    pub(super) async fn check_own_password(
        &self,
        field: &str,
        user: &User,
        own: &Authenticators,
        password: &Secret,
    ) -> Result<()> {
        self.count_attempt(user).await?;
        let core = self.session.core();
        let verdict = verify_password(core, password, own.password.as_ref()).await?;
        if verdict == Verdict::Wrong {
            self.note_failure(user).await;
        }
        if verdict == Verdict::Wrong || own.is_locked(&core.policy) {
            let message = "this is not the password";
            return Err(Error::invalid(vec![FieldError::new(field, "wrong_password", message)]));
        }
        self.forgive_attempt(user).await
    }

    /// Counts an attempt as wrong before it is looked at, together with those to sign in.
    pub(super) async fn count_attempt(&self, user: &User) -> Result<()> {
        let core = self.session.core();
        core.take_attempt(&throttle_of(&user.email.key()), core.policy.per_account).await
    }

    pub(super) async fn forgive_attempt(&self, user: &User) -> Result<()> {
        let core = self.session.core();
        let throttle = throttle_of(&user.email.key());
        core.limits.give_back(&throttle, core.policy.per_account, core.env.now()).await
    }

    pub(super) async fn note_failure(&self, user: &User) {
        let scope = self.session.scope();
        note_failure(self.session.core(), scope.request_id(), scope.tenant(), user.id).await;
    }

    /// The sign-in that this session belongs to, as it is now.
    pub(super) async fn current(&self) -> Result<Option<SignIn>> {
        match self.session.scope().proof() {
            Proof::SignIn { id, .. } => self.sign_in(*id).await,
            Proof::Host | Proof::Key { .. } => Ok(None),
        }
    }

    async fn sign_in(&self, id: SignInId) -> Result<Option<SignIn>> {
        let tenant = self.session.scope().tenant();
        let of = StandingOf::Credential(id.as_uuid());
        let system = self.system("look after an account");
        let standing = self.session.store().standing(&system, tenant, of).await?;
        Ok(standing.and_then(|standing| match standing.credential {
            Some(Credential::SignIn(sign_in)) => Some(sign_in),
            Some(Credential::Authenticators(_) | Credential::ApiKey(_) | Credential::Link(_))
            | None => None,
        }))
    }
}

/// Sessions of one user that are looked at.
const MOST_SESSIONS: usize = 200;

/// The names of the actions that a scope allows.
fn permissions(scope: &TenantScope) -> Vec<&'static str> {
    let allowed = |name: &str| match scope.proof() {
        Proof::Host | Proof::SignIn { .. } => true,
        Proof::Key { scopes } => scopes.iter().any(|own| own == name),
    };
    ACTIONS
        .iter()
        .filter(|(name, least)| scope.role().includes(*least) && allowed(name))
        .map(|(name, _)| *name)
        .collect()
}
