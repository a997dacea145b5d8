//! What a session can do with users.

use super::credential::Authenticators;
use super::invitation::{CreatedUser, invite, put_user};
use super::model::{NewUser, User, UserPatch, UserStatus};
use super::sign_in::put_authenticators;
use crate::access::{Action, ManageOwners, ManageUsers, Permit, ReadUsers, Role};
use crate::changes::{Changes, Write};
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::UserCreated;
use crate::id::UserId;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::patch::Patch;
use crate::scope::SystemScope;
use crate::session::Session;
use crate::tenancy::settings::put_tenant;
use crate::text::checked_name;

/// The users of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Users<'s> {
    pub(crate) session: &'s Session,
}

impl Users<'_> {
    /// Makes a user, who is invited: what lets them in is in the reply, once. Its outcome is remembered for
    /// a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a role above the caller's own; `step_up_required` for an owner; `invalid`;
    /// `already_exists` when the address is taken; `unavailable` or `internal` from the store.
    pub async fn create(&self, new: NewUser) -> Result<CreatedUser> {
        self.session
            .run("users.create", async {
                let permit = self.session.authorize::<ManageUsers>()?;
                self.must_manage(new.role)?;
                let mut refused = Vec::new();
                let email = EmailAddress::parse(&new.email)
                    .map_err(|error| refused.push(FieldError { field: "email".into(), ..error }));
                let full_name = match new.full_name {
                    Some(name) => checked_name("full_name", "a user", &name)
                        .map_err(|error| refused.push(error))
                        .ok(),
                    None => email.as_ref().ok().map(ToString::to_string),
                };
                let (Ok(email), Some(full_name)) = (email, full_name) else {
                    return Err(Error::invalid(refused));
                };
                let core = self.session.core();
                let mut changes = Changes::new(permit.scope(), core.env.now());
                let user = User {
                    id: core.env.new_id()?,
                    email,
                    full_name,
                    role: new.role,
                    status: UserStatus::Invited,
                    session_epoch: 0,
                    created_at: changes.at(),
                    updated_at: changes.at(),
                    version: 1,
                };
                let data = UserCreated { user: &user };
                let write = Write::InsertUser(user.clone());
                changes.record(&core.env, write, user.id, Vec::new(), &data)?;
                let (kept, token) = invite(&core.env, changes.tenant(), user.id, changes.at())?;
                let own =
                    Authenticators { invitation: Some(kept), ..Authenticators::none(user.id) };
                put_authenticators(core, &mut changes, own, &["invitation"])?;
                let created = CreatedUser { user, invitation: token };
                self.session.commit_made(changes, &created).await?;
                Ok(created)
            })
            .await
    }

    /// The user with this id.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: UserId) -> Result<User> {
        self.session
            .run("users.get", async {
                let (_, user) = self.load::<ReadUsers>(id).await?;
                Ok(user)
            })
            .await
    }

    /// The users in the order in which they were made.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(&self, page: &Page) -> Result<PageOf<User>> {
        self.session
            .run("users.list", async {
                let permit = self.session.authorize::<ReadUsers>()?;
                let after = page.position("users")?.map(|position| position.id);
                let limit = page.limit();
                let users = self.session.store().users(permit.scope(), after, limit + 1).await?;
                Ok(PageOf::cut(users, limit, "users", |last| Position {
                    key: SortKey::Time(last.created_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// Changes a user's name, role or status. Who is disabled is signed out, and stays so when they are
    /// active again.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a user or a role above the caller's own; `step_up_required` for an owner or who
    /// shall be one; `not_found`; `invalid`; `conflict` when the caller would change their own role or
    /// status, so that nobody locks themselves out, and when the tenant would be left without an active
    /// owner; `version_conflict` when `version` is given and is not the record's; `unavailable` or
    /// `internal` from the store.
    pub async fn update(&self, id: UserId, patch: UserPatch, version: Option<i64>) -> Result<User> {
        // Inside, what does not get better by a repetition.
        let attempt = || async {
            let (_, before) = self.load::<ManageUsers>(id).await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Ok(Err(Error::version_conflict("user", expected, before.version)));
            }
            self.must_manage(before.role)?;
            let after = self.patched(&before, patch.clone())?;
            let core = self.session.core();
            let mut changes = self.session.new_changes();
            if is_active_owner(&before) && !is_active_owner(&after) {
                self.leave_another_owner(&mut changes, id).await?;
            }
            let after = put_user(&core.env, &mut changes, &before, after)?;
            if !changes.is_empty() {
                self.session.commit(changes).await?;
            }
            Ok(Ok(after))
        };
        let updated = async { self.session.retry_contended(false, attempt).await.flatten() };
        self.session.run("users.update", updated).await
    }

    /// Refuses to take `id` away where no other owner is active.
    ///
    /// The unit also writes the tenant, from the version that it had before the owners were counted: of
    /// two that take owners away at once, the second counts again.
    async fn leave_another_owner(&self, changes: &mut Changes, id: UserId) -> Result<()> {
        let (store, scope) = (self.session.store(), self.session.scope());
        let system = SystemScope::new("count a tenant's owners", scope.request_id().clone());
        let tenant = store.tenant(&system, scope.tenant()).await?;
        let tenant = tenant.ok_or_else(|| Error::not_found("tenant"))?;
        let mut after = None;
        loop {
            let users = store.users(scope, after, OWNERS_PAGE).await?;
            if users.iter().any(|user| user.id != id && is_active_owner(user)) {
                break;
            }
            after = users.last().map(|user| user.id.as_uuid());
            if after.is_none() {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "this is the last active owner; make another one first",
                ));
            }
        }
        put_tenant(self.session.env(), changes, &tenant, tenant.clone(), &["owners"])?;
        Ok(())
    }

    pub(super) async fn load<A: Action>(&self, id: UserId) -> Result<(Permit<A>, User)> {
        let look = self.session.store().user(self.session.scope(), id);
        self.session.authorize_on("user", look).await
    }

    fn patched(&self, before: &User, patch: UserPatch) -> Result<User> {
        let mut after = before.clone();
        let mut refused = Vec::new();
        match patch.full_name {
            Patch::Keep => {}
            Patch::Clear => refused.push(cannot_be_cleared("full_name")),
            Patch::Set(name) => match checked_name("full_name", "a user", &name) {
                Ok(name) => after.full_name = name,
                Err(error) => refused.push(error),
            },
        }
        match patch.role {
            Patch::Keep => {}
            Patch::Clear => refused.push(cannot_be_cleared("role")),
            Patch::Set(role) => after.role = role,
        }
        match patch.status {
            Patch::Keep => {}
            Patch::Clear => refused.push(cannot_be_cleared("status")),
            Patch::Set(status) if status == before.status => {}
            Patch::Set(UserStatus::Invited) => refused.push(FieldError::new(
                "status",
                "invalid_status",
                "nobody becomes invited by a change; invite them again",
            )),
            Patch::Set(UserStatus::Active) => after.status = UserStatus::Active,
            Patch::Set(UserStatus::Disabled) => {
                after.status = UserStatus::Disabled;
                after.session_epoch += 1;
            }
        }
        if !refused.is_empty() {
            return Err(Error::invalid(refused));
        }
        self.must_manage(after.role)?;
        let own = self.session.scope().actor().user() == Some(before.id);
        if own && (after.role, after.status) != (before.role, before.status) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "nobody can change their own role or status; ask another owner or admin",
            ));
        }
        Ok(after)
    }

    /// Whether the caller may make and change users with this role.
    pub(super) fn must_manage(&self, role: Role) -> Result<()> {
        let own = self.session.scope().role();
        if !own.includes(role) {
            let message =
                format!("the role `{own}` may not make or change users with the role `{role}`");
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        if role == Role::Owner {
            self.session.authorize::<ManageOwners>()?;
        }
        Ok(())
    }
}

/// Users that are looked at at once for an owner.
const OWNERS_PAGE: usize = 200;

fn is_active_owner(user: &User) -> bool {
    user.role == Role::Owner && user.status == UserStatus::Active
}

pub(crate) fn cannot_be_cleared(field: &str) -> FieldError {
    FieldError::new(field, "required", format!("`{field}` cannot be cleared"))
}
