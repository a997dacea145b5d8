//! What the operator of an installation can do, across tenants.

use std::fmt;
use std::sync::Arc;

use super::model::{NewTenant, Slug, Tenant, dispositions, recording_days};
use crate::access::Role;
use crate::changes::{Changes, Write};
use crate::crm::Core;
use crate::email::EmailAddress;
use crate::error::{Error, FieldError, Result};
use crate::events::payload::{TenantCreated, UserCreated};
use crate::id::TenantId;
use crate::identity::{User, UserStatus};
use crate::scope::{SystemScope, TenantScope};
use crate::session::Session;
use crate::text::checked_name;

/// The operator at work, across tenants.
pub struct System {
    pub(crate) core: Arc<Core>,
    pub(crate) scope: SystemScope,
}

impl System {
    pub(crate) fn new(core: Arc<Core>, scope: SystemScope) -> Self {
        System { core, scope }
    }

    /// The reason and the request.
    pub fn scope(&self) -> &SystemScope {
        &self.scope
    }

    /// Makes a tenant and its owner, together or not at all.
    ///
    /// # Errors
    ///
    /// `invalid` with each refused value; `already_exists` when the slug is taken; `unavailable` or
    /// `internal` from the store.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(Tenant, User)> {
        let created = async {
            let (tenant, owner, changes) = self.plan_tenant(new, None)?;
            self.core.commit(changes).await?;
            Ok((tenant, owner))
        };
        created.await.map_err(|error: Error| error.in_operation("tenants.create"))
    }

    /// A new tenant, under the id that was kept for it where one was.
    pub(crate) fn plan_tenant(
        &self,
        new: NewTenant,
        id: Option<TenantId>,
    ) -> Result<(Tenant, User, Changes)> {
        let mut refused = Vec::new();
        let name = checked_name("name", "a tenant", &new.name)
            .map_err(|error| refused.push(error))
            .unwrap_or_default();
        let slug = new.slug.or_else(|| Slug::suggest(&name));
        if slug.is_none() && refused.is_empty() {
            refused.push(FieldError::new(
                "slug",
                "required",
                format!("no slug follows from the name `{name}`; give one, e.g. `acme-gmbh`"),
            ));
        }
        let owner_name = match new.owner_name.filter(|name| !name.trim().is_empty()) {
            Some(name) => checked_name("owner_name", "an owner", &name)
                .map(Some)
                .map_err(|error| refused.push(error)),
            None => Ok(None),
        };
        let email = EmailAddress::parse(&new.owner_email)
            .map_err(|error| refused.push(FieldError { field: "owner_email".into(), ..error }));
        let (Some(slug), Ok(email), Ok(owner_name), true) =
            (slug, email, owner_name, refused.is_empty())
        else {
            return Err(Error::invalid(refused));
        };

        let env = &self.core.env;
        let now = env.now();
        let tenant = Tenant {
            id: id.map_or_else(|| env.new_id(), Ok)?,
            name,
            slug,
            default_region: new.default_region,
            join_domains: Vec::new(),
            join_role: Role::Viewer,
            dispositions: dispositions(),
            recording_days: recording_days(),
            created_at: now,
            version: 1,
        };
        let owner = User {
            id: env.new_id()?,
            full_name: owner_name.unwrap_or_else(|| email.to_string()),
            email,
            role: Role::Owner,
            status: UserStatus::Active,
            session_epoch: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut changes = Changes::new(&self.tenant_scope(&tenant), now);
        let data = TenantCreated { tenant: &tenant };
        let write = Write::InsertTenant(tenant.clone());
        changes.record(env, write, tenant.id, Vec::new(), &data)?;
        let data = UserCreated { user: &owner };
        let write = Write::InsertUser(owner.clone());
        changes.record(env, write, owner.id, Vec::new(), &data)?;
        Ok((tenant, owner, changes))
    }

    /// The tenant with this slug.
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable` or `internal` from the store.
    pub async fn tenant(&self, slug: &Slug) -> Result<Tenant> {
        let found = self.core.store.tenant_by_slug(&self.scope, slug).await;
        found
            .and_then(|tenant| tenant.ok_or_else(|| Error::not_found("tenant")))
            .map_err(|error| error.in_operation("tenants.get"))
    }

    /// All tenants by slug, at most `limit` after `after`.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store.
    pub async fn tenants(&self, after: Option<&Slug>, limit: usize) -> Result<Vec<Tenant>> {
        self.core
            .store
            .tenants(&self.scope, after, limit)
            .await
            .map_err(|error| error.in_operation("tenants.list"))
    }

    /// A session of the operator in a tenant, with every right of its owner. What it does is
    /// recorded as done by `system`.
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable` or `internal` from the store.
    pub async fn session(&self, tenant: TenantId) -> Result<Session> {
        let tenant = self
            .core
            .store
            .tenant(&self.scope, tenant)
            .await?
            .ok_or_else(|| Error::not_found("tenant"))?;
        Ok(Session::new(Arc::clone(&self.core), self.tenant_scope(&tenant)))
    }

    pub(crate) fn tenant_scope(&self, tenant: &Tenant) -> TenantScope {
        let request_id = self.scope.request_id().clone();
        TenantScope::of_system(tenant.id, tenant.default_region, request_id)
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("scope", &self.scope).finish_non_exhaustive()
    }
}
