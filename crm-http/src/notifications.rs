//! Notifications.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use crm_core::access::{Broadcast, ReadNotifications};
use crm_core::notifications::{
    ListNotifications, Marked, NewBroadcast, Notification, NotificationPreferences,
    SetNotificationPreferences, Told,
};
use crm_core::{NotificationRecord, Page, PageOf, Session};

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, IfMatch, IfNoneMatch, NoParams, Once, Params, PathId,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{DoneOnce, Fresh, Reply, Versioned};

const NOTIFICATIONS: Section = Section::Notifications;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/notifications",
            get_with(
                list,
                about(
                    NOTIFICATIONS,
                    "list_notifications",
                    &[],
                    "List one's notifications",
                    "The newest first. 400 `invalid_cursor` for a cursor of another list.",
                ),
            ),
        )
        .api_route(
            "/notifications/{id}/read",
            post_with(
                read,
                about(
                    NOTIFICATIONS,
                    "read_notification",
                    &[],
                    "Note that one has read a notification",
                    "One that was read before stays as it is. 404 where one has no such notification.",
                ),
            ),
        )
        .api_route(
            "/notifications/read-all",
            post_with(
                read_all,
                about(
                    NOTIFICATIONS,
                    "read_all_notifications",
                    &[],
                    "Note that one has read all",
                    "",
                ),
            ),
        )
        .api_route(
            "/notifications/preferences",
            get_with(
                preferences,
                about(
                    NOTIFICATIONS,
                    "get_notification_preferences",
                    &[],
                    "Get what one wants to be told",
                    "304 where `If-None-Match` names its version.",
                ),
            )
            .put_with(
                set_preferences,
                about(
                    NOTIFICATIONS,
                    "set_notification_preferences",
                    &[],
                    "Choose what one wants to be told",
                    "In place of what was chosen before. 412 where `If-Match` names another version; 422 with \
                     one entry for each refused value.",
                ),
            ),
        )
        .api_route(
            "/notifications/broadcast",
            post_with(
                broadcast,
                about(
                    NOTIFICATIONS,
                    "broadcast",
                    &[],
                    "Tell everybody something, or all with a role",
                    "422 with one entry for each refused value.",
                ),
            ),
        )
}

async fn list(
    caller: Caller<ReadNotifications>,
    Params(asked): Params<ListNotifications>,
) -> Result<Reply<PageOf<Notification>>, Problem> {
    let page = Page::asked(asked.limit, asked.cursor.as_ref());
    Ok(Reply(caller.session.notifications().list(asked.unread, &page).await?))
}

async fn read(
    caller: CallerOn<ReadNotifications>,
    _: NoParams,
    PathId(id): PathId<NotificationRecord>,
) -> Result<Reply<Notification>, Problem> {
    Ok(Reply(caller.session.notifications().mark_read(id).await?))
}

async fn read_all(
    caller: Caller<ReadNotifications>,
    _: NoParams,
) -> Result<Reply<Marked>, Problem> {
    Ok(Reply(caller.session.notifications().read_all().await?))
}

async fn preferences(
    caller: Caller<ReadNotifications>,
    _: NoParams,
    known: IfNoneMatch,
) -> Result<Fresh<NotificationPreferences>, Problem> {
    let preferences = caller.session.notifications().preferences().await?;
    let version = preferences.version;
    Ok(Fresh::unless(&known, preferences, version))
}

async fn set_preferences(
    caller: Caller<ReadNotifications>,
    _: NoParams,
    IfMatch(version): IfMatch,
    Body { value: new, .. }: Body<SetNotificationPreferences>,
) -> Result<Versioned<NotificationPreferences>, Problem> {
    let preferences = caller.session.notifications().set_preferences(new, version).await?;
    let version = preferences.version;
    Ok(Versioned(preferences, version))
}

async fn broadcast(
    caller: Caller<Broadcast>,
    _: NoParams,
    once: Once,
    body: Body<NewBroadcast>,
) -> Result<DoneOnce<Told>, Problem> {
    let work = async |session: Session, new| session.notifications().broadcast(new).await;
    Ok(DoneOnce::of(once.run(caller.session, body, work).await?))
}
