//! Activities.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{LogActivities, ReadActivities};
use crm_core::activities::{Activity, CountActivities, ListActivities, NewActivity, Stats};
use crm_core::{ActivityRecord, PageOf, Session};

use crate::App;
use crate::extract::{Body, Caller, CallerOn, NoParams, Once, Params, PathId, refused_parameters};
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
                    "log_activity", &[404],
                    "Log what happened with a contact",
                    "404 where there is no such contact in use; 422 for a kind that only the CRM writes, \
                     or data of another shape than its kind's.",
                ),
            )
            .get_with(
                list,
                about(
                    ACTIVITIES,
                    "list_activities", &[],
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
                    "count_activities", &[],
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
                    "get_activity", &[],
                    "Get an activity",
                    "404 where there is no such activity in the tenant.",
                ),
            ),
        )
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
    Params(asked): Params<ListActivities>,
) -> Result<Reply<PageOf<Activity>>, Problem> {
    let (filter, page) = asked.parts();
    let listed = caller.session.activities().list(&filter, &page).await;
    listed.map(Reply).map_err(refused_parameters)
}

async fn stats(
    caller: Caller<ReadActivities>,
    Params(asked): Params<CountActivities>,
) -> Result<Reply<Stats>, Problem> {
    let (filter, group_by) = asked.parts();
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
