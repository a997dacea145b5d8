//! What a session can do with notifications.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::commands::{put_preferences, update};
use super::model::{
    MAX_BODY, MAX_TITLE, Notification, NotificationKind, NotificationPreferences,
    SetNotificationPreferences,
};
use super::outbox::{Text, preferences_of, tell};
use super::store::{NotificationQuery, Which};
use crate::access::{Broadcast, ReadNotifications, Role};
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::id::{NotificationId, UserId};
use crate::identity::UserStatus;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::scope::TenantScope;
use crate::session::Session;

/// How many are marked in one commit, and how many users are read at once.
const AT_ONCE: usize = 500;

/// The notifications of the session's user.
#[derive(Debug, Clone, Copy)]
pub struct Notifications<'s> {
    pub(crate) session: &'s Session,
}

/// Who is told something by an administrator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All who work here.
    #[default]
    Everybody,
    /// The owners.
    Owner,
    /// The administrators.
    Admin,
    /// The agents.
    Agent,
    /// The viewers.
    Viewer,
}

impl Audience {
    fn includes(self, role: Role) -> bool {
        match self {
            Audience::Everybody => true,
            Audience::Owner => role == Role::Owner,
            Audience::Admin => role == Role::Admin,
            Audience::Agent => role == Role::Agent,
            Audience::Viewer => role == Role::Viewer,
        }
    }
}

/// Something for many people.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBroadcast {
    /// One line, 1 to 200 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = 200), regex(pattern = crate::schema::FILLED)))]
    pub title: String,
    /// More, up to 4,000 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 4000), inner(regex(pattern = crate::schema::LINES))))]
    pub body: Option<String>,
    /// Who is told; everybody where nothing is said.
    #[serde(default)]
    pub to: Audience,
}

/// How many people were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Told {
    /// Those who want to be told such things, by any way.
    pub recipients: usize,
}

/// How many notifications were marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Marked {
    /// Those that were not read before.
    pub read: usize,
}

impl Notifications<'_> {
    /// The user's notifications, newest first; only those that were not read where `unread`.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(&self, unread: bool, page: &Page) -> Result<PageOf<Notification>> {
        self.session
            .run("notifications.list", async {
                let (scope, user_id) = self.own()?;
                let list = format!("notifications?{unread}");
                let after = page.position(&list)?.and_then(|position| match position.key {
                    SortKey::Time(at) => Some((at, NotificationId::from_uuid(position.id))),
                    SortKey::Text(_) | SortKey::Score(_) => None,
                });
                let query = NotificationQuery {
                    user_id,
                    which: if unread { Which::Unread } else { Which::All },
                    kind: None,
                    from: None,
                    after,
                    limit: page.limit() + 1,
                };
                let found = self.session.store().notifications(&scope, &query).await?;
                Ok(PageOf::cut(found, page.limit(), &list, |last| Position {
                    key: SortKey::Time(last.created_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// What no program of the user's has had yet, oldest first, at most `limit` (held to 1..=1000).
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `unavailable` or `internal` from the store.
    pub async fn undelivered(&self, limit: usize) -> Result<Vec<Notification>> {
        self.session
            .run("notifications.undelivered", async {
                let (scope, user_id) = self.own()?;
                let limit = limit.clamp(1, 1000);
                self.pending(&scope, user_id, Which::Undelivered, limit).await
            })
            .await
    }

    /// Notes that a program of the user's has these. Those that are not the user's, or were delivered before,
    /// stay as they are.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `unavailable` or `internal` from the store.
    pub async fn mark_delivered(&self, ids: &[NotificationId]) -> Result<()> {
        let attempt = || async {
            let (scope, user_id) = self.own()?;
            for ids in ids.chunks(AT_ONCE) {
                let found = self.session.store().notifications_by_id(&scope, user_id, ids).await?;
                let mut changes = self.session.new_changes();
                for before in found.iter().filter(|known| known.delivered_at.is_none()) {
                    let after = Notification { delivered_at: Some(changes.at()), ..before.clone() };
                    update(self.session.env(), &mut changes, before, after)?;
                }
                if !changes.is_empty() {
                    self.session.commit(changes).await?;
                }
            }
            Ok(())
        };
        let attempts = self.session.retry_contended(false, attempt);
        self.session.run("notifications.mark_delivered", attempts).await
    }

    /// Notes that the user has read it. One that was read before stays as it is.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `not_found`, also for another person's; `unavailable` or
    /// `internal` from the store.
    pub async fn mark_read(&self, id: NotificationId) -> Result<Notification> {
        let attempt = || async {
            let (scope, user_id) = self.own()?;
            let found = self.session.store().notifications_by_id(&scope, user_id, &[id]).await?;
            let before =
                found.into_iter().next().ok_or_else(|| Error::not_found("notification"))?;
            if before.read_at.is_some() {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let after = read(&before, changes.at());
            let after = update(self.session.env(), &mut changes, &before, after)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        let attempts = self.session.retry_contended(false, attempt);
        self.session.run("notifications.mark_read", attempts).await
    }

    /// Notes that the user has read all.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `unavailable` or `internal` from the store.
    pub async fn read_all(&self) -> Result<Marked> {
        let some = || async {
            let (scope, user_id) = self.own()?;
            let found = self.pending(&scope, user_id, Which::Unread, AT_ONCE).await?;
            let mut changes = self.session.new_changes();
            for before in &found {
                let after = read(before, changes.at());
                update(self.session.env(), &mut changes, before, after)?;
            }
            if !changes.is_empty() {
                self.session.commit(changes).await?;
            }
            Ok(found.len())
        };
        self.session
            .run("notifications.read_all", async {
                let mut marked = Marked { read: 0 };
                loop {
                    let count = self.session.retry_contended(false, some).await?;
                    marked.read += count;
                    if count < AT_ONCE {
                        return Ok(marked);
                    }
                }
            })
            .await
    }

    /// What the user wants to be told.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `unavailable` or `internal` from the store.
    pub async fn preferences(&self) -> Result<NotificationPreferences> {
        self.session
            .run("notifications.preferences", async {
                let (_, user) = self.own()?;
                preferences_of(self.session, user).await
            })
            .await
    }

    /// Chooses what the user wants to be told, in place of what was chosen before.
    ///
    /// # Errors
    ///
    /// `forbidden`, also in a session of no user; `invalid` with each refused value; `version_conflict` when
    /// `version` is given and is not the record's; `unavailable` or `internal` from the store.
    pub async fn set_preferences(
        &self,
        new: SetNotificationPreferences,
        version: Option<i64>,
    ) -> Result<NotificationPreferences> {
        let attempt = || async {
            let (_, user) = self.own()?;
            let refused = new.check();
            if !refused.is_empty() {
                return Err(Error::invalid(refused));
            }
            let before = preferences_of(self.session, user).await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                let what = "notification_preferences";
                return Err(Error::version_conflict(what, expected, before.version));
            }
            let SetNotificationPreferences { channels, quiet_hours } = new.clone();
            let after = NotificationPreferences { channels, quiet_hours, ..before.clone() };
            if after == before {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let after = put_preferences(self.session.env(), &mut changes, &before, after)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        let attempts = self.session.retry_contended(version.is_some(), attempt);
        self.session.run("notifications.set_preferences", attempts).await
    }

    /// Tells something to everybody, or to all with a role, in one commit. Its outcome is remembered for a
    /// repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` for a text that is empty or too long; `unavailable` or `internal` from the store.
    pub async fn broadcast(&self, new: NewBroadcast) -> Result<Told> {
        self.session
            .run("notifications.broadcast", async {
                let permit = self.session.authorize::<Broadcast>()?;
                let refused = check(&new);
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let mut changes = self.session.new_changes();
                let mut told = Told { recipients: 0 };
                let mut after = None;
                loop {
                    let store = self.session.store();
                    let users = store.users(permit.scope(), after, AT_ONCE).await?;
                    after = users.last().map(|user| user.id.as_uuid());
                    for user in users.iter().filter(|user| {
                        user.status != UserStatus::Disabled && new.to.includes(user.role)
                    }) {
                        let preferences = preferences_of(self.session, user.id).await?;
                        let text = Text {
                            kind: NotificationKind::Broadcast,
                            title: new.title.trim().to_owned(),
                            body: new.body.clone().filter(|body| !body.trim().is_empty()),
                            data: Map::new(),
                            count: 1,
                        };
                        let wanted = tell(self.session, &mut changes, &preferences, text)?;
                        told.recipients += usize::from(wanted);
                    }
                    if users.len() < AT_ONCE {
                        break;
                    }
                }
                self.session.commit_made(changes, &told).await?;
                Ok(told)
            })
            .await
    }

    /// The scope and its user.
    fn own(&self) -> Result<(TenantScope, UserId)> {
        let permit = self.session.authorize::<ReadNotifications>()?;
        let user = permit.scope().actor().user().ok_or_else(|| {
            Error::new(ErrorKind::Forbidden, "notifications are people's; nobody is signed in")
        })?;
        Ok((permit.scope().clone(), user))
    }

    async fn pending(
        &self,
        scope: &TenantScope,
        user_id: UserId,
        which: Which,
        limit: usize,
    ) -> Result<Vec<Notification>> {
        let query =
            NotificationQuery { user_id, which, kind: None, from: None, after: None, limit };
        self.session.store().notifications(scope, &query).await
    }
}

/// What is read is delivered, too.
fn read(before: &Notification, at: crate::Timestamp) -> Notification {
    Notification {
        read_at: Some(at),
        delivered_at: before.delivered_at.or(Some(at)),
        ..before.clone()
    }
}

fn check(new: &NewBroadcast) -> Vec<FieldError> {
    let mut refused = Vec::new();
    let title = new.title.trim();
    if title.is_empty() || title.chars().any(char::is_control) {
        refused.push(FieldError::new("title", "invalid_title", "a title is one line of text"));
    }
    if title.chars().nth(MAX_TITLE).is_some() {
        let message = format!("a title has at most {MAX_TITLE} characters");
        refused.push(FieldError::new("title", "too_long", message));
    }
    if new.body.as_ref().is_some_and(|body| body.chars().nth(MAX_BODY).is_some()) {
        let message = format!("a body has at most {MAX_BODY} characters");
        refused.push(FieldError::new("body", "too_long", message));
    }
    refused
}
