//! The jobs of notifications: they turn events into notifications, and send them through channels.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::commands::update;
use super::model::{Notification, NotificationKind};
use super::outbox::{Named, SEND, Text, preferences_of, tell};
use super::rules::{Meaning, Notice, meaning, object, of_call, summary_title, title};
use super::store::{NotificationQuery, Which};
use crate::access::{ReadCalls, ReadContacts, authorize};
use crate::changes::Changes;
use crate::contacts::Contact;
use crate::error::{ErrorKind, Result};
use crate::events::{After, Batch, GroupName};
use crate::id::UserId;
use crate::identity::{User, UserStatus};
use crate::jobs::JobKind;
use crate::jobs::worker::{AtWork, Next};
use crate::scope::{Actor, Proof, TenantScope};
use crate::session::Session;

/// Turns events into notifications.
pub(crate) const NOTIFY: &str = "crm.notifications.notify";
/// The group of readers that it is.
const GROUP: &str = "crm.notifications";
/// What happened so long ago is no news: the worker was away, or this is the first look at an old log.
const NEWS: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many of one kind a person gets within [`WINDOW`]; more are one summary.
const MOST: usize = 10;
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// How often other workers may be faster before this one leaves the rest to them for a while.
const CONTENDED: usize = 20;
/// How soon events are looked for that open transactions still hide.
const HIDDEN: Duration = Duration::from_millis(200);

type Handle = Box<dyn Fn(AtWork) -> BoxFuture<'static, Result<Next>> + Send + Sync>;

/// The handlers, each with how many run at once.
pub(crate) fn handlers() -> Vec<(JobKind, Option<usize>, Handle)> {
    vec![
        (JobKind::own(NOTIFY), Some(8), Box::new(|job| notify(job).boxed())),
        (JobKind::own(SEND), Some(16), Box::new(|job| send(job).boxed())),
    ]
}

async fn notify(job: AtWork) -> Result<Next> {
    let session = job.step();
    let mut reader = session.events().group(GroupName::own(GROUP), After::Start).await?;
    let mut contended = 0;
    while let Some(batch) = reader.next_now().await? {
        match tell_of(&batch).await {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::VersionConflict) =>
            {
                contended += 1;
                if contended > CONTENDED {
                    return Ok(Next::Later(HIDDEN));
                }
            }
            Err(error) => return Err(error),
        }
    }
    let bounds = session.store().event_bounds(session.scope()).await?;
    Ok(if bounds.end < bounds.newest { Next::Later(HIDDEN) } else { Next::Done })
}

/// Makes a batch's notifications and moves the group past it, in one commit.
async fn tell_of(batch: &Batch) -> Result<()> {
    let session = batch.session();
    let mut changes = session.new_changes();
    // Of one kind for one person, in the order of their events.
    let mut told: BTreeMap<(UserId, NotificationKind), Vec<Notice>> = BTreeMap::new();
    for recorded in batch.events() {
        if changes.at().since(recorded.event.occurred_at) > NEWS {
            continue;
        }
        let notices = match meaning(&recorded.event) {
            Meaning::Nothing => Vec::new(),
            Meaning::Notices(notices) => notices,
            Meaning::OfCall(id) => {
                let Some(call) = session.store().call(session.scope(), id).await? else { continue };
                let owner = match call.contact_id.filter(|_| call.user_id.is_none()) {
                    Some(id) => session.store().contact(session.scope(), id).await?,
                    None => None,
                };
                of_call(&call, owner.and_then(|contact| contact.owner_id)).into_iter().collect()
            }
        };
        for notice in notices {
            told.entry((notice.user, notice.kind)).or_default().push(notice);
        }
    }
    for ((user, kind), notices) in told {
        tell_person(session, &mut changes, user, kind, notices).await?;
    }
    session.commit(changes).await
}

async fn tell_person(
    session: &Session,
    changes: &mut Changes,
    user: UserId,
    kind: NotificationKind,
    mut notices: Vec<Notice>,
) -> Result<()> {
    let (store, scope) = (session.store(), session.scope());
    let Some(user) = store.user(scope, user).await?.filter(|user| may_be_told(scope, user, kind))
    else {
        return Ok(());
    };
    let preferences = preferences_of(session, user.id).await?;
    let window = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
    let recent = store
        .notifications(
            scope,
            &NotificationQuery {
                user_id: user.id,
                which: Which::All,
                kind: Some(kind),
                from: Some(changes.at().saturating_add_micros(-window)),
                after: None,
                // Those of the window, and its summary.
                limit: MOST + 1,
            },
        )
        .await?;
    let single = recent.iter().filter(|known| !known.is_summary()).count();
    let beyond = notices.split_off(notices.len().min(MOST.saturating_sub(single)));
    for notice in notices {
        let contact = match notice.contact {
            Some(id) => store.contact(scope, id).await?.filter(Contact::is_live),
            None => None,
        };
        if notice.contact.is_some() && contact.is_none() {
            continue;
        }
        let text = Text {
            kind,
            title: title(kind).to_owned(),
            body: notice.body.or_else(|| contact.map(|contact| contact.display_name)),
            data: notice.data,
            count: 1,
        };
        tell(session, changes, &preferences, text)?;
    }
    let Ok(more) = u32::try_from(beyond.len()) else { return Ok(()) };
    if more == 0 {
        return Ok(());
    }
    match recent.into_iter().find(Notification::is_summary) {
        Some(before) => {
            let count = before.count.saturating_add(more);
            let mut after =
                Notification { count, title: summary_title(kind, count), ..before.clone() };
            // Who has read it has read of fewer.
            if preferences.wants(kind, super::IN_APP) && before.read_at.is_some() {
                after.read_at = None;
                after.delivered_at = None;
            }
            update(session.env(), changes, &before, after)?;
        }
        None => {
            let text = Text {
                kind,
                title: summary_title(kind, more),
                body: None,
                data: object(serde_json::json!({ "summary": true })),
                count: more,
            };
            tell(session, changes, &preferences, text)?;
        }
    }
    Ok(())
}

/// Whether the person works here and may read what it is about.
fn may_be_told(scope: &TenantScope, user: &User, kind: NotificationKind) -> bool {
    let (actor, request_id) = (Actor::User(user.id), scope.request_id().clone());
    let theirs =
        TenantScope::new(scope.tenant(), scope.region(), actor, user.role, Proof::Host, request_id);
    let may_read = match kind {
        NotificationKind::Assigned | NotificationKind::Mention => {
            authorize::<ReadContacts>(&theirs).is_ok()
        }
        NotificationKind::CallEnded | NotificationKind::CallMissed => {
            authorize::<ReadCalls>(&theirs).is_ok()
        }
        NotificationKind::ImportDone | NotificationKind::Broadcast => true,
    };
    user.status != UserStatus::Disabled && may_read
}

async fn send(job: AtWork) -> Result<Next> {
    let Named { notification_id, user_id, channel } = job.payload()?;
    let session = job.step();
    let (store, scope) = (session.store(), session.scope());
    let Some(channel) = session.core().notification_channels.get(&channel) else {
        return Ok(Next::Done);
    };
    let user = store.user(scope, user_id).await?;
    let Some(user) = user.filter(|user| user.status == UserStatus::Active) else {
        return Ok(Next::Done);
    };
    let found = store.notifications_by_id(scope, user_id, &[notification_id]).await?;
    let Some(notification) = found.first() else { return Ok(Next::Done) };
    let preferences = preferences_of(&session, user_id).await?;
    if !preferences.wants(notification.kind, channel.name()) {
        return Ok(Next::Done);
    }
    let quiet = preferences.quiet_hours.as_ref();
    if let Some(left) = quiet.and_then(|hours| hours.left(session.env().now())) {
        return Ok(Next::Later(left));
    }
    channel.send(notification, &user).await?;
    Ok(Next::Done)
}
