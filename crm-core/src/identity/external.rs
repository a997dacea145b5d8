//! The way in by an account with a provider of identities, which somebody else has checked.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use super::credential::{
    Authenticators, Credential, CredentialKind, Link, SignInMethod, SignInName, StandingOf,
};
use super::invitation::put_user;
use super::model::{User, UserStatus};
use super::secret::{Digest, Secret};
use super::sign_in::{Identity, SignedIn, not_signed_in, put_authenticators, tenant_required};
use crate::changes::{Changes, Write};
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::{UserCreated, UserSecured};
use crate::id::{SignInId, TenantId, UserId};
use crate::scope::SystemScope;
use crate::tenancy::Tenant;
use crate::text::checked_name;
use crate::time::Timestamp;

/// How long a code can be exchanged for tokens.
pub(super) const CODE_LASTS: Duration = Duration::from_secs(60);

/// What codes are sealed for.
const CODE: &str = "exchange a code";

/// How often an arrival is decided again that met another change of the same account.
const MOST_TRIES: usize = 20;

/// Links of one user that are looked at.
const MOST_LINKS: usize = 100;

/// Who somebody is by the word of a provider of identities, as the front door has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// The provider's name in this installation.
    pub provider: String,
    /// The account's name at the provider, which never changes (`sub`).
    pub subject: String,
    /// The e-mail address, where the provider says one.
    pub email: Option<String>,
    /// Whether the provider vouches that the address is theirs.
    pub email_verified: bool,
    /// The name of the person.
    pub name: Option<String>,
    /// When the provider last proved who it is (`auth_time`), where it says so: an old session there is no
    /// fresh proof here.
    pub authenticated_at: Option<Timestamp>,
}

impl ExternalIdentity {
    /// When somebody proved who they are who comes in at `now`.
    fn proved_at(&self, now: Timestamp) -> Timestamp {
        self.authenticated_at.map_or(now, |at| at.min(now))
    }
}

/// What a code says, to who can open it.
#[derive(Serialize, Deserialize)]
struct Code {
    tenant: TenantId,
    user: UserId,
    /// The sign-in that begins when the code is exchanged: there is one of an id, so none is exchanged twice.
    sign_in: SignInId,
    issued_at: Timestamp,
    proved_at: Timestamp,
    /// What the verifier of who exchanges it must hash to.
    challenge: Option<String>,
}

impl Code {
    /// Whether who presents this verifier is who the code was issued for.
    fn is_for(&self, verifier: Option<&Secret>) -> bool {
        match (&self.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let digest = BASE64.encode(Digest::of(verifier.reveal().as_bytes()).as_bytes());
                verify_slices_are_equal(digest.as_bytes(), challenge.as_bytes()).is_ok()
            }
            // Who has taken the challenge away must not be let in by leaving out the verifier, or with any.
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Identity {
    /// Lets somebody in by their account with a provider.
    ///
    /// A linked account opens its user. Else an address that the provider vouches for is linked to the user
    /// who has it, active or invited, unless another account with the same provider is linked to them: an
    /// address can pass to another person. Their password and second factor go then, and their sessions end:
    /// who set them may never have had the address. Else who has an address in one of the domains that may join
    /// `tenant`, named by its id or slug, becomes a user of it. The provider answers for how well the person
    /// was looked at: no code of a second factor is asked for.
    ///
    /// # Errors
    ///
    /// `unauthenticated`, the same for who is unknown, not verified, not to join and disabled; `invalid` on
    /// `tenant` when there are users of several tenants and none is named; `unavailable` or `internal` from
    /// the store.
    pub async fn sign_in_external(
        &self,
        who: &ExternalIdentity,
        tenant: Option<&str>,
    ) -> Result<SignedIn> {
        let began = self.core().env.now();
        let method = SignInMethod::Oidc;
        let signed_in = self.arrive(who, tenant, |changes, user| {
            let id = self.core().env.new_id()?;
            self.begin_as(id, changes, user, method, began, who.proved_at(began)).map(Some)
        });
        let (_, user, tokens) =
            signed_in.await.map_err(|error| error.in_operation("identity.sign_in_external"))?;
        let tokens = tokens.ok_or_else(|| Error::internal("a sign-in without tokens"))?;
        Ok(SignedIn { tokens, user })
    }

    /// [`Identity::sign_in_external`], but with a code for the tokens: what can stand in an address that a
    /// browser is sent to. [`Identity::exchange_code`] takes it once, within a minute.
    ///
    /// `challenge` binds the code to who began: the SHA-256 of a verifier that only they know, in base64url
    /// without padding (RFC 7636, `S256`).
    ///
    /// # Errors
    ///
    /// Those of [`Identity::sign_in_external`].
    pub async fn issue_code(
        &self,
        who: &ExternalIdentity,
        tenant: Option<&str>,
        challenge: Option<&str>,
    ) -> Result<Secret> {
        let issued = async {
            let issued_at = self.core().env.now();
            let proved_at = who.proved_at(issued_at);
            let (tenant, user, ()) = self.arrive(who, tenant, |_, _| Ok(())).await?;
            let sign_in = self.core().env.new_id()?;
            let challenge = challenge.map(str::to_owned);
            let (tenant, user) = (tenant.id, user.id);
            let code = Code { tenant, user, sign_in, issued_at, proved_at, challenge };
            self.core().seal_ticket(CODE, &code, CODE_LASTS)
        };
        issued.await.map_err(|error: Error| error.in_operation("identity.issue_code"))
    }

    /// The tokens for a code, which is used up by it. `verifier` is the one of the challenge that the code was
    /// issued with, and absent where there was none.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when the code was not given out, is used up or over, is another's by the verifier, or
    /// its user is disabled; `rate_limited`; `unavailable` or `internal` from the store.
    pub async fn exchange_code(
        &self,
        code: &Secret,
        verifier: Option<&Secret>,
    ) -> Result<SignedIn> {
        let exchanged = async {
            let code: Code = match self.core().open_ticket(CODE, code) {
                Ok(code) => code,
                Err(error) => {
                    self.count_stranger().await?;
                    return Err(error);
                }
            };
            if !code.is_for(verifier) {
                self.count_stranger().await?;
                return Err(not_signed_in());
            }
            let system = self.system_scope(CODE);
            let of = StandingOf::User(code.user);
            let standing = self.core().store.standing(&system, code.tenant, of).await?;
            let standing = standing.and_then(|standing| Some((standing.tenant, standing.user?)));
            let (tenant, user) = standing
                .filter(|(_, user)| user.status == UserStatus::Active)
                .ok_or_else(not_signed_in)?;
            let mut changes = self.changes_of(&tenant, &user);
            let method = SignInMethod::Oidc;
            let Code { sign_in, issued_at, proved_at, .. } = code;
            let tokens =
                self.begin_as(sign_in, &mut changes, &user, method, issued_at, proved_at)?;
            match self.core().commit(changes).await {
                Ok(()) => Ok(SignedIn { tokens, user }),
                Err(error) if error.kind() == ErrorKind::VersionConflict => {
                    Err(not_signed_in().with_source(error))
                }
                Err(error) => Err(error),
            }
        };
        exchanged.await.map_err(|error: Error| error.in_operation("identity.exchange_code"))
    }

    /// Finds, links or makes the user, together with what `also` adds.
    async fn arrive<T>(
        &self,
        who: &ExternalIdentity,
        tenant: Option<&str>,
        also: impl Fn(&mut Changes, &User) -> Result<T>,
    ) -> Result<(Tenant, User, T)> {
        let system = self.system_scope("sign in by an account with a provider");
        let named = self.tenant_named(&system, tenant).await?;
        let mut tries = 1;
        loop {
            let (tenant, user, mut changes) = self.decide(&system, who, named).await?;
            let also = also(&mut changes, &user)?;
            if changes.is_empty() {
                return Ok((tenant, user, also));
            }
            match self.core().commit(changes).await {
                Ok(()) => return Ok((tenant, user, also)),
                // The same person twice at once, or a change of the user: look again.
                Err(error)
                    if tries < MOST_TRIES
                        && matches!(
                            error.kind(),
                            ErrorKind::VersionConflict | ErrorKind::AlreadyExists
                        ) =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn decide(
        &self,
        system: &SystemScope,
        who: &ExternalIdentity,
        named: Option<Option<TenantId>>,
    ) -> Result<(Tenant, User, Changes)> {
        let link = SignInName::of_link(&who.provider, &who.subject);
        let linked = self.users_of(system, &link, named).await?;
        let active = linked.iter().filter(|(_, user)| user.status == UserStatus::Active);
        if let Some((tenant, user)) = only(active)? {
            return Ok((tenant.clone(), user.clone(), self.changes_of(tenant, user)));
        }
        let email = who.email.as_deref().filter(|_| who.email_verified);
        let Some(email) = email.and_then(|email| EmailAddress::parse(email).ok()) else {
            return Err(self.refused());
        };
        let name = SignInName::of_email(&email);
        let known = self.users_of(system, &name, named).await?;
        let may = known.iter().filter(|(tenant, user)| {
            let open = match user.status {
                UserStatus::Active | UserStatus::Invited => true,
                UserStatus::Disabled => false,
            };
            // Who was linked and disabled does not come back by the address.
            open && !linked.iter().any(|(other, _)| other.id == tenant.id)
        });
        if let Some((tenant, user)) = only(may)? {
            return self.link(system, who, &email, tenant, user).await;
        }
        if let Some(Some(named)) = named
            && known.is_empty()
            && linked.is_empty()
            && let Some(tenant) = self.core().store.tenant(system, named).await?
            && tenant.join_domains.contains(&email.domain())
        {
            return self.join(who, email, tenant);
        }
        Err(self.refused())
    }

    async fn users_of(
        &self,
        system: &SystemScope,
        name: &SignInName,
        named: Option<Option<TenantId>>,
    ) -> Result<Vec<(Tenant, User)>> {
        let mut users = Vec::new();
        for (tenant, user) in self.accounts(system, name, named).await? {
            let of = StandingOf::User(user);
            let standing = self.core().store.standing(system, tenant, of).await?;
            users.extend(standing.and_then(|standing| Some((standing.tenant, standing.user?))));
        }
        Ok(users)
    }

    /// Links the account to a user whose address it vouches for; an invitation is accepted by it.
    ///
    /// Nobody has proved the address before, so what was set until now may be a stranger's, who registered
    /// with it: password and second factor are of no use any more, and all sessions end.
    async fn link(
        &self,
        system: &SystemScope,
        who: &ExternalIdentity,
        email: &EmailAddress,
        tenant: &Tenant,
        user: &User,
    ) -> Result<(Tenant, User, Changes)> {
        let (core, mut changes) = (self.core(), self.changes_of(tenant, user));
        let kind = CredentialKind::Link;
        let links =
            core.store.credentials(changes.scope(), kind, Some(user.id), None, MOST_LINKS).await?;
        let other = links.iter().any(|credential| match credential {
            Credential::Link(link) => link.provider == who.provider,
            Credential::Authenticators(_) | Credential::SignIn(_) | Credential::ApiKey(_) => false,
        });
        if other {
            return Err(self.refused());
        }
        let of = StandingOf::Credential(user.id.as_uuid());
        let standing = core.store.standing(system, tenant.id, of).await?;
        if let Some(Credential::Authenticators(own)) = standing.and_then(|own| own.credential) {
            let bare = Authenticators { version: own.version, ..Authenticators::none(user.id) };
            if own != bare {
                let fields = ["password", "totp", "recovery_codes", "invitation"];
                put_authenticators(core, &mut changes, bare, &fields)?;
            }
        }
        let session_epoch = user.session_epoch + 1;
        let after = User { status: UserStatus::Active, session_epoch, ..user.clone() };
        let user = put_user(&core.env, &mut changes, user, after)?;
        self.put_link(&mut changes, who, email.clone(), user.id)?;
        Ok((tenant.clone(), user, changes))
    }

    /// A new user of a tenant whose domains the address is in.
    fn join(
        &self,
        who: &ExternalIdentity,
        email: EmailAddress,
        tenant: Tenant,
    ) -> Result<(Tenant, User, Changes)> {
        let env = &self.core().env;
        let now = env.now();
        let name = who.name.as_deref();
        let name = name.and_then(|name| checked_name("name", "a user", name).ok());
        let user = User {
            id: env.new_id()?,
            full_name: name.unwrap_or_else(|| email.to_string()),
            email: email.clone(),
            role: tenant.join_role,
            status: UserStatus::Active,
            session_epoch: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut changes = self.changes_of(&tenant, &user);
        let data = UserCreated { user: &user };
        let write = Write::InsertUser(user.clone());
        changes.record(env, write, user.id, Vec::new(), &data)?;
        self.put_link(&mut changes, who, email, user.id)?;
        Ok((tenant, user, changes))
    }

    fn put_link(
        &self,
        changes: &mut Changes,
        who: &ExternalIdentity,
        email: EmailAddress,
        user_id: UserId,
    ) -> Result<()> {
        let link = Link {
            provider: who.provider.clone(),
            subject: who.subject.clone(),
            user_id,
            email,
            linked_at: changes.at(),
            version: 1,
        };
        let credential = Box::new(Credential::Link(link));
        let write = Write::PutCredential { credential, expected_version: 0 };
        let fields = vec!["link".to_owned()];
        changes.record(&self.core().env, write, user_id, fields, &UserSecured {})?;
        Ok(())
    }

    fn refused(&self) -> Error {
        tracing::warn!(
            request_id = self.arrival.request_id.as_str(),
            "a sign-in by an account with a provider was refused"
        );
        Error::new(ErrorKind::Unauthenticated, "nobody who may work here has this account")
    }
}

/// The one of the users, where there is one.
fn only<'a>(
    mut users: impl Iterator<Item = &'a (Tenant, User)>,
) -> Result<Option<&'a (Tenant, User)>> {
    let first = users.next();
    if users.next().is_some() { Err(tenant_required()) } else { Ok(first) }
}
