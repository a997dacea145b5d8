//! What identity asks of storage.

use async_trait::async_trait;
use uuid::Uuid;

use super::credential::{Credential, CredentialKind, SignInName, Standing, StandingOf};
use super::model::User;
use crate::error::Result;
use crate::id::{TenantId, UserId};
use crate::scope::{SystemScope, TenantScope};

/// Reads of users.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// The user with this id.
    ///
    /// # Behavior
    ///
    /// - A user of another tenant is not found. (`users_are_per_tenant`)
    /// - What was committed is read back as it was. (`a_user_is_read_as_written`)
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>>;

    /// How somebody of `tenant` stands, before a session exists; `None` where there is no such tenant.
    ///
    /// # Behavior
    ///
    /// - The tenant is part of the key: another tenant's user or credential is not found.
    ///   (`users_are_per_tenant`, `credentials_are_per_tenant`)
    /// - A credential comes with the user whose it is. (`a_credential_is_read_as_written`)
    async fn standing(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>>;

    /// The users that have this name in any tenant, in the order of their tenants' ids, at most `limit`.
    ///
    /// # Behavior
    ///
    /// - A user is found by the address that they were made with, and by each link.
    ///   (`accounts_are_found_by_name`)
    async fn accounts(
        &self,
        scope: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>>;

    /// The credentials of one kind, of one user where one is named, in the order of their ids, at most
    /// `limit` after `after`.
    ///
    /// # Behavior
    ///
    /// - Pages follow each other without a gap or a repetition. (`credentials_are_listed`)
    /// - A new sign-in takes the place of those of the same user that are useless by then.
    ///   (`useless_sign_ins_are_forgotten`)
    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>>;

    /// All users in the order of their ids, at most `limit` after `after`.
    ///
    /// # Behavior
    ///
    /// - Pages follow each other without a gap or a repetition. (`users_are_listed`)
    /// - An address is unique in a tenant, whatever its case. (`user_emails_are_unique`)
    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>>;
}
