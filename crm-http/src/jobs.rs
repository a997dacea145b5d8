//! Jobs.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::response::NoContent;
use crm_core::access::{ManageJobs, ReadJobs};
use crm_core::jobs::{Job, ListJobs};
use crm_core::{JobRecord, Page, PageOf};

use crate::App;
use crate::extract::{Caller, CallerOn, NoParams, Params, PathId};
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

async fn list(
    caller: Caller<ReadJobs>,
    Params(asked): Params<ListJobs>,
) -> Result<Reply<PageOf<Job>>, Problem> {
    let page = Page::asked(asked.limit, asked.cursor.as_ref());
    Ok(Reply(caller.session.jobs().list(asked.state, asked.kind, &page).await?))
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
