//! What the operator can do about how people come in.

use std::time::Duration;

use super::credential::{Authenticators, Credential, StandingOf};
use super::invitation::put_user;
use super::model::{User, UserStatus};
use super::password::{check_password, hash_password, is_known_hash};
use super::registration::REGISTER;
use super::secret::Secret;
use super::sign_in::put_authenticators;
use crate::changes::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{TenantId, UserId};
use crate::tenancy::{System, Tenant};

impl System {
    /// Sets a user's password; one who was invited is active then. All sessions of the user end.
    ///
    /// # Errors
    ///
    /// `not_found`; `invalid` on `password`; `unavailable` or `internal` from the store.
    pub async fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: &Secret,
    ) -> Result<()> {
        let set = async {
            let (found_in, found, own) = self.account(tenant, user).await?;
            let context = [found.email.as_str(), &found.full_name, &found_in.name];
            check_password("password", password, &context, own.has_second_factor())
                .map_err(|error| Error::invalid(vec![error]))?;
            let hash = hash_password(&self.core, password).await?;
            self.put_password(tenant, user, hash).await
        };
        set.await.map_err(|error: Error| error.in_operation("users.set_password"))
    }

    /// Takes over the hash of a user's password from another program: argon2 as a PHC string, or bcrypt. The
    /// next sign-in replaces it by one of this program; otherwise as [`System::set_password`].
    ///
    /// # Errors
    ///
    /// `not_found`; `invalid` on `hash` where it is of no known kind or of a cost beyond what is compared
    /// here; `unavailable` or `internal` from the store.
    pub async fn import_password_hash(
        &self,
        tenant: TenantId,
        user: UserId,
        hash: Secret,
    ) -> Result<()> {
        let imported = async {
            if !is_known_hash(hash.reveal()) {
                let message = "this is no hash that is known here; give argon2 as a PHC string, \
                               or bcrypt, of a usual cost";
                return Err(Error::invalid_field("hash", "unknown_hash", message));
            }
            self.put_password(tenant, user, hash).await
        };
        imported.await.map_err(|error: Error| error.in_operation("users.import_password_hash"))
    }

    /// What somebody needs to register where that takes an invitation, once, within `valid_for`.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness; `internal` when the cipher fails.
    pub fn registration_invitation(&self, valid_for: Duration) -> Result<Secret> {
        // The tenant that comes of it has this id, and there is one tenant of an id.
        let reserved: TenantId = self.core.env.new_id()?;
        self.core.seal_ticket(REGISTER, &reserved, valid_for)
    }

    async fn put_password(&self, tenant: TenantId, user: UserId, hash: Secret) -> Result<()> {
        loop {
            let (tenant, before, own) = self.account(tenant, user).await?;
            let mut changes = Changes::new(&self.tenant_scope(&tenant), self.core.env.now());
            let own = Authenticators {
                password: Some(hash.clone()),
                password_set_at: Some(changes.at()),
                invitation: None,
                failures: 0,
                ..own
            };
            put_authenticators(&self.core, &mut changes, own, &["password"])?;
            let status = match before.status {
                UserStatus::Active | UserStatus::Invited => UserStatus::Active,
                UserStatus::Disabled => UserStatus::Disabled,
            };
            let session_epoch = before.session_epoch + 1;
            let after = User { status, session_epoch, ..before.clone() };
            put_user(&self.core.env, &mut changes, &before, after)?;
            match self.core.commit(changes).await {
                Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                result => return result,
            }
        }
    }

    async fn account(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<(Tenant, User, Authenticators)> {
        let store = &self.core.store;
        let of = StandingOf::Credential(user.as_uuid());
        let credential = store.standing(&self.scope, tenant, of).await?;
        let own = match credential.and_then(|standing| standing.credential) {
            Some(Credential::Authenticators(own)) => own,
            Some(Credential::SignIn(_) | Credential::ApiKey(_) | Credential::Link(_)) | None => {
                Authenticators::none(user)
            }
        };
        let standing = store.standing(&self.scope, tenant, StandingOf::User(user)).await?;
        let standing = standing.ok_or_else(|| Error::not_found("tenant"))?;
        let user = standing.user.ok_or_else(|| Error::not_found("user"))?;
        Ok((standing.tenant, user, own))
    }
}
