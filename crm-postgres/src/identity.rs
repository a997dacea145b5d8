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
        optional_doc(&self.call(scope, "user_get", vec![id.as_uuid().into()]).await?)
    }

    async fn principal(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<User>> {
        optional_doc(&self.call_before(scope, tenant, "user_get", vec![id.as_uuid().into()]).await?)
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        let after = after.unwrap_or(Uuid::nil());
        docs(&self.call(scope, "user_list", vec![after.into(), bigint(limit).into()]).await?)
    }
}
