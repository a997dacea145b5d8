//! Users.

use async_trait::async_trait;
use crm_core::identity::{Credential, CredentialKind, SignInName, Standing, StandingOf, User};
use crm_core::ports::IdentityStore;
use crm_core::{Result, SystemScope, TenantId, TenantScope, UserId};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, get, is_text, optional_doc};

#[async_trait]
impl IdentityStore for PostgresStore {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        optional_doc(&self.call(scope, "user_get", vec![id.as_uuid().into()]).await?)
    }

    async fn standing(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        let (user, credential) = match of {
            StandingOf::User(id) => (Some(id.as_uuid()), None),
            StandingOf::Credential(id) => (None, Some(id)),
        };
        let values = vec![user.into(), credential.into()];
        optional_doc(&self.call_before(scope, tenant, "standing", values).await?)
    }

    async fn accounts(
        &self,
        scope: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        if !is_text(name.as_str()) {
            return Ok(Vec::new());
        }
        let values = vec![name.as_str().into(), bigint(limit).into()];
        let rows = self.call_for(scope, "accounts", values).await?;
        let account = |row| {
            Ok((
                TenantId::from_uuid(get(row, "tenant_id")?),
                UserId::from_uuid(get(row, "user_id")?),
            ))
        };
        rows.iter().map(account).collect()
    }

    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let user = user.map(|id| id.as_uuid());
        let after = after.unwrap_or(Uuid::nil());
        let values = vec![kind.as_str().into(), user.into(), after.into(), bigint(limit).into()];
        docs(&self.call(scope, "credential_list", values).await?)
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
