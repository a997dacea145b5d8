//! Jobs.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::response::NoContent;
use crm_core::access::{ManageJobs, ReadJobs};
use crm_core::jobs::{Job, JobKind, JobState};
use crm_core::{JobRecord, PageOf};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::App;
use crate::extract::{Caller, CallerOn, Cursor, Limit, NoParams, Params, PathId, page};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::Reply;

const JOBS: Section = Section::Jobs;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/jobs",
            get_with(
                list,
                about(
                    JOBS,
                    "list_jobs", &[],
                    "List jobs",
                    "The newest first; both filters must hold. A job that is done is gone; `state=dead` are \
                     those that were given up. 400 `invalid_cursor` for a cursor of another list.",
                ),
            ),
        )
        .api_route(
            "/jobs/{id}",
            get_with(
                get,
                about(
                    JOBS,
                    "get_job", &[],
                    "Get a job",
                    "404 where there is no such job in the tenant, or it is done.",
                ),
            )
            .delete_with(
                discard,
                about(
                    JOBS,
                    "discard_job", &[409],
                    "Give a dead job up for good",
                    "404 where there is no such job in the tenant; 409 where it is not dead.",
                ),
            ),
        )
        .api_route(
            "/jobs/{id}/retry",
            post_with(
                retry,
                about(
                    JOBS,
                    "retry_job", &[409],
                    "Try a dead job again",
                    "404 where there is no such job in the tenant; 409 where it is not dead.",
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
    /// In this state.
    state: Option<JobState>,
    /// Of this kind.
    kind: Option<JobKind>,
}

async fn list(
    caller: Caller<ReadJobs>,
    Params(params): Params<ListParams>,
) -> Result<Reply<PageOf<Job>>, Problem> {
    let page = page(params.limit, params.cursor);
    Ok(Reply(caller.session.jobs().list(params.state, params.kind, &page).await?))
}

async fn get(
    caller: Caller<ReadJobs>,
    _: NoParams,
    PathId(id): PathId<JobRecord>,
) -> Result<Reply<Job>, Problem> {
    Ok(Reply(caller.session.jobs().get(id).await?))
}

async fn retry(
    caller: CallerOn<ManageJobs>,
    _: NoParams,
    PathId(id): PathId<JobRecord>,
) -> Result<Reply<Job>, Problem> {
    Ok(Reply(caller.session.jobs().retry(id).await?))
}

async fn discard(
    caller: CallerOn<ManageJobs>,
    _: NoParams,
    PathId(id): PathId<JobRecord>,
) -> Result<NoContent, Problem> {
    caller.session.jobs().discard(id).await?;
    Ok(NoContent)
}
