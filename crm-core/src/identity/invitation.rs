//! Invitations: the way in for users whom somebody else has made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::credential::{
    Authenticators, Credential, Invitation, SignInMethod, Standing, StandingOf,
};
use super::model::{User, UserStatus};
use super::password::{check_password, hash_password};
use super::secret::{OpaqueToken, Secret, TokenKind};
use super::service::Users;
use super::sign_in::{Identity, SignedIn, put_authenticators};
use crate::access::ManageUsers;
use crate::changes::{Changes, Write};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::{Changed, UserUpdated};
use crate::id::{TenantId, UserId};
use crate::scope::SystemScope;
use crate::tenancy::Tenant;
use crate::text::checked_name;
use crate::time::Timestamp;

/// How long an invitation can be accepted: seven days.
const LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A user with the invitation that lets them in, which is not shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CreatedUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// What the user needs to set a password, within seven days.
    pub invitation: Secret,
}

/// Somebody who comes in by an invitation.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The invitation.
    pub invitation: Secret,
    /// The password that they choose: at least 15 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 15)))]
    pub password: Secret,
    /// Their name, at most 255 characters; as it was given for them where it is absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub full_name: Option<String>,
}

/// A new invitation of a user: what is kept, and what is given out.
pub(super) fn invite(
    env: &Env,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<(Invitation, Secret)> {
    let token = OpaqueToken::new(env, tenant, user.as_uuid())?;
    let kept = Invitation { token: token.digest(), expires_at: now.after(LASTS) };
    Ok((kept, token.text(TokenKind::Invitation)))
}

impl Users<'_> {
    /// Invites a user again, who has lost the first invitation, the password or the second factor. Those
    /// are of no use any more, and all sessions of the user end. The outcome is remembered for a repeated
    /// request.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a user above the caller; `step_up_required` for an owner; `not_found`;
    /// `conflict` for the caller and for a disabled user; `unavailable` or `internal` from the store.
    pub async fn invite_again(&self, id: UserId) -> Result<CreatedUser> {
        let attempt = || async {
            let (_, before) = self.load::<ManageUsers>(id).await?;
            self.must_manage(before.role)?;
            if self.session.scope().actor().user() == Some(id) {
                let message = "nobody can invite themselves; change the password instead";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            if before.status == UserStatus::Disabled {
                let message = "the user is disabled; make them active first";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let core = self.session.core();
            let scope = self.session.scope();
            let system = SystemScope::new("invite a user", scope.request_id().clone());
            let of = StandingOf::Credential(id.as_uuid());
            let standing = core.store.standing(&system, scope.tenant(), of).await?;
            let version = match standing.and_then(|standing| standing.credential) {
                Some(Credential::Authenticators(own)) => own.version,
                Some(Credential::SignIn(_) | Credential::ApiKey(_) | Credential::Link(_))
                | None => 0,
            };
            let mut changes = self.session.new_changes();
            let (kept, token) = invite(&core.env, scope.tenant(), id, changes.at())?;
            let own =
                Authenticators { invitation: Some(kept), version, ..Authenticators::none(id) };
            let fields = ["password", "totp", "recovery_codes", "invitation"];
            put_authenticators(core, &mut changes, own, &fields)?;
            let session_epoch = before.session_epoch + 1;
            let after = User { session_epoch, ..before.clone() };
            let user = put_user(&core.env, &mut changes, &before, after)?;
            let created = CreatedUser { user, invitation: token };
            self.session.commit_made(changes, &created).await?;
            Ok(created)
        };
        self.session.run("users.invite_again", self.session.retry_contended(false, attempt)).await
    }
}

impl Identity {
    /// Sets the password of who was invited, makes them active and lets them in.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when the invitation was not given out, is used up or over, or its user is disabled;
    /// `invalid` on `password` or `full_name`; `rate_limited`; `unavailable` or `internal` from the store.
    pub async fn accept_invitation(&self, accept: AcceptInvitation) -> Result<SignedIn> {
        let accepted = async {
            let token = OpaqueToken::parse(TokenKind::Invitation, accept.invitation.reveal());
            let Some(token) = token else {
                self.count_stranger().await?;
                return Err(not_invited());
            };
            let mut hash = None;
            loop {
                let Some((tenant, before, own)) = self.invited(&token).await? else {
                    self.count_stranger().await?;
                    return Err(not_invited());
                };
                let began = self.core().env.now();
                let after = accepted_by(&tenant, &before, &accept)?;
                let password = match &hash {
                    Some(hash) => Secret::clone(hash),
                    None => {
                        hash.insert(hash_password(self.core(), &accept.password).await?).clone()
                    }
                };
                let mut changes = self.changes_of(&tenant, &before);
                let own = Authenticators {
                    password: Some(password),
                    password_set_at: Some(changes.at()),
                    invitation: None,
                    failures: 0,
                    ..own
                };
                put_authenticators(self.core(), &mut changes, own, &["password", "invitation"])?;
                let user = put_user(&self.core().env, &mut changes, &before, after)?;
                let tokens = self.begin(&mut changes, &user, SignInMethod::Password, began)?;
                match self.core().commit(changes).await {
                    Ok(()) => return Ok(SignedIn { tokens, user }),
                    // Somebody was faster, perhaps with the same invitation: look again.
                    Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                    Err(error) => return Err(error),
                }
            }
        };
        accepted.await.map_err(|error: Error| error.in_operation("identity.accept_invitation"))
    }

    async fn invited(&self, token: &OpaqueToken) -> Result<Option<(Tenant, User, Authenticators)>> {
        let system = self.system_scope("accept an invitation");
        let of = StandingOf::Credential(token.id);
        let standing = self.core().store.standing(&system, token.tenant, of).await?;
        let Some(Standing { tenant, user: Some(user), credential }) = standing else {
            return Ok(None);
        };
        let Some(Credential::Authenticators(own)) = credential else { return Ok(None) };
        let now = self.core().env.now();
        let invited = own.invitation.as_ref().is_some_and(|invitation| {
            invitation.token == token.digest() && now < invitation.expires_at
        });
        let may = match user.status {
            UserStatus::Active | UserStatus::Invited => true,
            UserStatus::Disabled => false,
        };
        Ok((invited && may).then_some((tenant, user, own)))
    }
}

fn not_invited() -> Error {
    let message = "the invitation is not valid, or not any more; ask for a new one";
    Error::new(ErrorKind::Unauthenticated, message)
}

/// The user who has accepted, where what they say is good.
fn accepted_by(tenant: &Tenant, before: &User, accept: &AcceptInvitation) -> Result<User> {
    let mut refused = Vec::new();
    let mut full_name = before.full_name.clone();
    if let Some(name) = &accept.full_name {
        match checked_name("full_name", "a user", name) {
            Ok(name) => full_name = name,
            Err(error) => refused.push(error),
        }
    }
    let context = [before.email.as_str(), &full_name, &tenant.name];
    refused.extend(check_password("password", &accept.password, &context, false).err());
    if !refused.is_empty() {
        return Err(Error::invalid(refused));
    }
    Ok(User { full_name, status: UserStatus::Active, ..before.clone() })
}

/// Records a user's new state, at its next version; one that says the same is not written.
pub(super) fn put_user(
    env: &Env,
    changes: &mut Changes,
    before: &User,
    after: User,
) -> Result<User> {
    if after == *before {
        return Ok(after);
    }
    let mut fields = Vec::new();
    let mut new_values = Changed::none();
    macro_rules! compare {
        ($($field:ident)*) => {$(
            if before.$field != after.$field {
                fields.push(stringify!($field).to_owned());
                new_values.set(stringify!($field), &after.$field)?;
            }
        )*};
    }
    compare!(full_name role status);
    // It follows from something that has an audit entry of its own.
    if before.session_epoch != after.session_epoch {
        new_values.set("session_epoch", &after.session_epoch)?;
    }
    let expected_version = before.version;
    let user = User { updated_at: changes.at(), version: expected_version + 1, ..after };
    let (version, updated_at) = (user.version, user.updated_at);
    let data = UserUpdated { version, updated_at, changes: new_values };
    let write = Write::UpdateUser { user: user.clone(), expected_version };
    changes.record(env, write, user.id, fields, &data)?;
    Ok(user)
}
