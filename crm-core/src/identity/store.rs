//! What identity asks of storage.

use async_trait::async_trait;
use uuid::Uuid;

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

    /// A user of `tenant` before a session exists, to make one.
    ///
    /// # Behavior
    ///
    /// - The tenant is part of the key: another tenant's user is not found.
    ///   (`users_are_per_tenant`)
    async fn principal(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>>;

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
