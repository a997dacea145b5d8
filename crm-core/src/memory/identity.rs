//! Reads of users.

use async_trait::async_trait;
use uuid::Uuid;

use super::MemoryStore;
use crate::error::Result;
use crate::id::{TenantId, UserId};
use crate::identity::User;
use crate::identity::store::IdentityStore;
use crate::scope::{SystemScope, TenantScope};

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        Ok(self.of(scope.tenant(), |data| data.users.get(&id).cloned()))
    }

    async fn principal(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>> {
        Ok(self.of(tenant, |data| data.users.get(&id).cloned()))
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        Ok(self.of(scope.tenant(), |data| {
            let users = data.users.values();
            let later = users.filter(|user| after.is_none_or(|after| user.id.as_uuid() > after));
            later.take(limit).cloned().collect()
        }))
    }
}
