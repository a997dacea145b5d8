//! What a session can do with users.

use serde_json::json;

use super::model::{NewUser, User, UserPatch, UserStatus};
use crate::access::{ManageUsers, ReadUsers, Role};
use crate::changes::{Changes, Write};
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::EventName;
use crate::id::UserId;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::patch::Patch;
use crate::session::Session;
use crate::text::checked_name;

/// The users of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Users<'s> {
    pub(crate) session: &'s Session,
}

impl Users<'_> {
    /// Makes a user. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a role above the caller's own; `invalid`; `already_exists` when the
    /// address is taken; `unavailable` or `internal` from the store.
    pub async fn create(&self, new: NewUser) -> Result<User> {
        self.session
            .run("users.create", async {
                let permit = self.session.authorize::<ManageUsers>()?;
                self.must_not_exceed_own(new.role)?;
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
                let env = self.session.env();
                let mut changes = Changes::new(permit.scope(), env.now());
                let user = User {
                    id: env.new_id()?,
                    email,
                    full_name,
                    role: new.role,
                    status: UserStatus::Active,
                    session_epoch: 0,
                    created_at: changes.at(),
                    updated_at: changes.at(),
                    version: 1,
                };
                let data = json!({ "user": user });
                let write = Write::InsertUser(user.clone());
                changes.record(env, write, user.id, EventName::UserCreated, Vec::new(), &data)?;
                self.session.commit_made(changes, &user).await?;
                Ok(user)
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
                let permit = self.session.authorize::<ReadUsers>()?;
                let user = self.session.store().user(permit.scope(), id).await?;
                user.ok_or_else(|| Error::not_found("user"))
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

    /// Changes a user's name, role or status.
    ///
    /// # Errors
    ///
    /// `forbidden`, also for a user or a role above the caller's own; `not_found`; `invalid`;
    /// `conflict` when the caller would change their own role or status, so that nobody
    /// locks themselves out; `version_conflict` when `version` is given and is not the record's;
    /// `unavailable` or `internal` from the store.
    pub async fn update(&self, id: UserId, patch: UserPatch, version: Option<i64>) -> Result<User> {
        let attempt = || async {
            let permit = self.session.authorize::<ManageUsers>()?;
            let before = self.session.store().user(permit.scope(), id).await?;
            let before = before.ok_or_else(|| Error::not_found("user"))?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Err(Error::version_conflict("user", expected, before.version));
            }
            self.must_not_exceed_own(before.role)?;
            let after = self.patched(&before, patch.clone())?;
            let mut fields = Vec::new();
            let mut new_values = serde_json::Map::new();
            let mut note = |field: &str, value| {
                fields.push(field.to_owned());
                new_values.insert(field.to_owned(), value);
            };
            if before.full_name != after.full_name {
                note("full_name", json!(after.full_name));
            }
            if before.role != after.role {
                note("role", json!(after.role));
            }
            if before.status != after.status {
                note("status", json!(after.status));
            }
            if fields.is_empty() {
                return Ok(before);
            }
            let env = self.session.env();
            let mut changes = self.session.new_changes();
            let after = User { updated_at: changes.at(), version: before.version + 1, ..after };
            let data = json!({ "version": after.version, "changes": new_values });
            let write = Write::UpdateUser { user: after.clone(), expected_version: before.version };
            changes.record(env, write, after.id, EventName::UserUpdated, fields, &data)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session
            .run("users.update", self.session.retry_contended(version.is_some(), attempt))
            .await
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
            Patch::Set(status) => after.status = status,
        }
        if !refused.is_empty() {
            return Err(Error::invalid(refused));
        }
        self.must_not_exceed_own(after.role)?;
        let own = self.session.scope().actor().user() == Some(before.id);
        if own && (after.role, after.status) != (before.role, before.status) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "nobody can change their own role or status; ask another owner or admin",
            ));
        }
        Ok(after)
    }

    fn must_not_exceed_own(&self, role: Role) -> Result<()> {
        let own = self.session.scope().role();
        if !own.includes(role) {
            let message =
                format!("the role `{own}` may not make or change users with the role `{role}`");
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        Ok(())
    }
}

fn cannot_be_cleared(field: &str) -> FieldError {
    FieldError::new(field, "required", format!("`{field}` cannot be cleared"))
}
