//! Activities.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{LogActivities, ReadActivities};
use crm_core::activities::store::ActivityFilter;
use crm_core::activities::{Activity, ActivityKind, NewActivity, Stats, StatsGroupBy};
use crm_core::{ActivityRecord, ContactId, PageOf, Session, Timestamp, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, Cursor, Limit, NoParams, Once, Params, PathId, page, refused_parameters,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Reply};

const ACTIVITIES: Section = Section::Activities;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/activities",
            post_with(
                create,
                about(
                    ACTIVITIES,
                    "log_activity",
                    "Log what happened with a contact",
                    "404 where there is no such contact in use; 422 for a kind that only the CRM writes, \
                     or data of another shape than its kind's.",
                ),
            )
            .get_with(
                list,
                about(
                    ACTIVITIES,
                    "list_activities",
                    "List activities",
                    "Newest first; all filters must hold. 400 `malformed` where the time ends before it \
                     begins, `invalid_cursor` for a cursor of another list.",
                ),
            ),
        )
        .api_route(
            "/activities/stats",
            get_with(
                stats,
                about(
                    ACTIVITIES,
                    "count_activities",
                    "Count activities",
                    "By kind, user or day, in the order of the keys. 400 `malformed` where the time ends \
                     before it begins.",
                ),
            ),
        )
        .api_route(
            "/activities/{id}",
            get_with(
                get,
                about(
                    ACTIVITIES,
                    "get_activity",
                    "Get an activity",
                    "404 where there is no such activity in the tenant.",
                ),
            ),
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// How many items the page has at most.
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// On this contact's timeline.
    contact_id: Option<ContactId>,
    /// Of this kind.
    kind: Option<ActivityKind>,
    /// By this user.
    user_id: Option<UserId>,
    /// At this time or later.
    from: Option<Timestamp>,
    /// Before this time.
    to: Option<Timestamp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatsParams {
    /// What to count by.
    group_by: StatsGroupBy,
    /// On this contact's timeline.
    contact_id: Option<ContactId>,
    /// Of this kind.
    kind: Option<ActivityKind>,
    /// By this user.
    user_id: Option<UserId>,
    /// At this time or later.
    from: Option<Timestamp>,
    /// Before this time.
    to: Option<Timestamp>,
}

async fn create(
    caller: Caller<LogActivities>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<NewActivity>,
) -> Result<Created<Activity>, Problem> {
    let work = async |session: Session, new| session.activities().create(new).await;
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: Caller<ReadActivities>,
    Params(params): Params<ListParams>,
) -> Result<Reply<PageOf<Activity>>, Problem> {
    let ListParams { limit, cursor, contact_id, kind, user_id, from, to } = params;
    let filter = ActivityFilter { contact_id, kind, user_id, from, to };
    let listed = caller.session.activities().list(&filter, &page(limit, cursor)).await;
    listed.map(Reply).map_err(refused_parameters)
}

async fn stats(
    caller: Caller<ReadActivities>,
    Params(params): Params<StatsParams>,
) -> Result<Reply<Stats>, Problem> {
    let StatsParams { group_by, contact_id, kind, user_id, from, to } = params;
    let filter = ActivityFilter { contact_id, kind, user_id, from, to };
    let counted = caller.session.activities().stats(&filter, group_by).await;
    counted.map(Reply).map_err(refused_parameters)
}

async fn get(
    caller: CallerOn<ReadActivities>,
    _: NoParams,
    PathId(id): PathId<ActivityRecord>,
) -> Result<Reply<Activity>, Problem> {
    Ok(Reply(caller.session.activities().get(id).await?))
}
