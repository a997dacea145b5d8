//! API keys.

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, post_with};
use axum::extract::OriginalUri;
use axum::response::NoContent;
use crm_core::access::{ManageApiKeys, ReadApiKeys};
use crm_core::identity::{ApiKeyInfo, CreatedApiKey, NewApiKey};
use crm_core::{ApiKeyKind, PageOf, Paging, Session};

use crate::App;
use crate::extract::{Body, Caller, CallerOn, NoParams, Once, Params, PathId};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Reply};

const API_KEYS: Section = Section::ApiKeys;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api-keys",
            post_with(
                create,
                about(
                    API_KEYS,
                    "create_api_key", &[],
                    "Make an API key",
                    "`secret` is in this reply and in no other. 403 for a role above the caller's own, \
                     `step_up_required` where the sign-in is not fresh; 422 with one entry for each \
                     refused value.",
                ),
            )
            .get_with(
                list,
                about(
                    API_KEYS,
                    "list_api_keys", &[],
                    "List API keys",
                    "In the order in which they were made, also those that are revoked or over. 400 \
                     `invalid_cursor` for a cursor of another list.",
                ),
            ),
        )
        .api_route(
            "/api-keys/{id}",
            delete_with(
                revoke,
                about(
                    API_KEYS,
                    "revoke_api_key", &[],
                    "Revoke an API key",
                    "At once and for ever. 403 `step_up_required` where the sign-in is not fresh; 404 \
                     where there is no such key in the tenant.",
                ),
            ),
        )
}

async fn create(
    caller: Caller<ManageApiKeys>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<NewApiKey>,
) -> Result<Created<CreatedApiKey>, Problem> {
    let work = async |session: Session, new| session.api_keys().create(new).await;
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: Caller<ReadApiKeys>,
    Params(paging): Params<Paging>,
) -> Result<Reply<PageOf<ApiKeyInfo>>, Problem> {
    Ok(Reply(caller.session.api_keys().list(&paging.page()).await?))
}

async fn revoke(
    caller: CallerOn<ManageApiKeys>,
    _: NoParams,
    PathId(id): PathId<ApiKeyKind>,
) -> Result<NoContent, Problem> {
    caller.session.api_keys().revoke(id).await?;
    Ok(NoContent)
}
