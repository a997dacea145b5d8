//! Reads of users.

use async_trait::async_trait;
use uuid::Uuid;

use super::MemoryStore;
use crate::error::Result;
use crate::id::{TenantId, UserId};
use crate::identity::store::IdentityStore;
use crate::identity::{Credential, CredentialKind, SignInName, Standing, StandingOf, User};
use crate::scope::{SystemScope, TenantScope};

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        Ok(self.of(scope.tenant(), |data| data.users.get(&id).cloned()))
    }

    async fn standing(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        Ok(self.of(tenant, |data| {
            let credential = match of {
                StandingOf::User(_) => None,
                StandingOf::Credential(id) => data.credentials.get(&id).cloned(),
            };
            let user = match of {
                StandingOf::User(id) => Some(id),
                StandingOf::Credential(_) => credential.as_ref().and_then(Credential::user_id),
            };
            let user = user.and_then(|id| data.users.get(&id).cloned());
            Some(Standing { tenant: data.tenant.clone(), user, credential })
        }))
    }

    async fn accounts(
        &self,
        _: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        let tenants = self.read();
        let found = tenants.iter().flat_map(|(tenant, data)| {
            let by_email =
                data.users.values().filter(|user| SignInName::of_email(&user.email) == *name);
            let by_link = data
                .credentials
                .values()
                .filter(|credential| credential.sign_in_name().as_ref() == Some(name));
            let users = by_email.map(|user| user.id);
            let users = users.chain(by_link.filter_map(Credential::user_id));
            users.map(|user| (*tenant, user))
        });
        Ok(found.take(limit).collect())
    }

    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        Ok(self.of(scope.tenant(), |data| {
            let wanted = data.credentials.iter().filter(|(id, credential)| {
                credential.kind() == kind
                    && after.is_none_or(|after| **id > after)
                    && (user.is_none() || credential.user_id() == user)
            });
            wanted.map(|(_, credential)| credential.clone()).take(limit).collect()
        }))
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
