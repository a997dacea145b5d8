//! Users.

use async_trait::async_trait;
use crm_core::identity::User;
use crm_core::ports::IdentityStore;
use crm_core::{Result, SystemScope, TenantId, TenantScope, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, optional_doc};

#[async_trait]
impl IdentityStore for PostgresStore {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        let values = vec![scope.tenant().as_uuid().into(), id.as_uuid().into()];
        optional_doc(&self.call("user_get", values).await?)
    }

    async fn principal(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>> {
        let values = vec![tenant.as_uuid().into(), id.as_uuid().into()];
        optional_doc(&self.call("user_get", values).await?)
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        let after = after.unwrap_or(Uuid::nil());
        let values = vec![scope.tenant().as_uuid().into(), after.into(), bigint(limit).into()];
        docs(&self.call("user_list", values).await?)
    }
}
