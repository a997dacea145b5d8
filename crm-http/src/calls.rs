//! Calls.

mod recording;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{PlaceCalls, ReadCalls, UpdateCalls};
use crm_core::calls::{CallPatch, CallView, ListCalls, LogCall, StartCall};
use crm_core::{CallKind, PageOf, Session};

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, IfMatch, IfNoneMatch, MergePatch, NoParams, Once, Params, PathId,
    refused_parameters,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Fresh, Reply, Versioned};

const CALLS: Section = Section::Calls;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/calls",
            post_with(
                start,
                about(
                    CALLS,
                    "start_call", &[404, 409],
                    "Call a contact",
                    "The carrier is asked after the reply; `status` and the call's events tell what becomes \
                     of it. 404 where there is no such contact in use; 409 where the contact has refused to \
                     be called or to be recorded, or the tenant has no number; 422 for a number that is \
                     neither the contact's nor the tenant's.",
                ),
            )
            .get_with(
                list,
                about(
                    CALLS,
                    "list_calls", &[],
                    "List calls",
                    "Newest first; all filters must hold. 400 `malformed` where the time ends before it \
                     begins, `invalid_cursor` for a cursor of another list.",
                ),
            ),
        )
        .api_route(
            "/calls/log",
            post_with(
                log,
                about(
                    CALLS,
                    "log_call", &[404],
                    "Log a call that was made on an ordinary phone",
                    "404 where there is no such contact in use; 422 with one entry for each refused value.",
                ),
            ),
        )
        .api_route(
            "/calls/{id}",
            get_with(
                get,
                about(
                    CALLS,
                    "get_call", &[],
                    "Get a call",
                    "304 where `If-None-Match` names its version; 404 where there is no such call in the \
                     tenant.",
                ),
            )
            .patch_with(
                update,
                about(
                    CALLS,
                    "update_call", &[],
                    "Say what came of a call",
                    "A merge patch. 404; 412 where `If-Match` names another version; 422 for a disposition \
                     that the tenant has not.",
                ),
            ),
        )
        .api_route(
            "/calls/{id}/hangup",
            post_with(
                hang_up,
                about(
                    CALLS,
                    "hang_up_call", &[],
                    "End a call",
                    "A call that the carrier has is ended after the reply; one that is over is left as it \
                     is. 404 where there is no such call in the tenant.",
                ),
            ),
        )
        .merge(recording::routes())
}

async fn start(
    caller: Caller<PlaceCalls>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<StartCall>,
) -> Result<Created<CallView>, Problem> {
    let work = async |session: Session, new| {
        session.calls().start(new).await.map(|call| CallView::from(&call))
    };
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn log(
    OriginalUri(uri): OriginalUri,
    caller: Caller<UpdateCalls>,
    _: NoParams,
    once: Once,
    body: Body<LogCall>,
) -> Result<Created<CallView>, Problem> {
    let work = async |session: Session, new| {
        session.calls().log(new).await.map(|call| CallView::from(&call))
    };
    let made = once.run(caller.session, body, work).await?;
    Ok(Created::beside(&uri, made))
}

async fn list(
    caller: Caller<ReadCalls>,
    Params(asked): Params<ListCalls>,
) -> Result<Reply<PageOf<CallView>>, Problem> {
    let (filter, page) = asked.parts();
    let calls = caller.session.calls().list(&filter, &page).await.map_err(refused_parameters)?;
    let items = calls.items.iter().map(CallView::from).collect();
    Ok(Reply(PageOf { items, next_cursor: calls.next_cursor }))
}

async fn get(
    caller: CallerOn<ReadCalls>,
    _: NoParams,
    PathId(id): PathId<CallKind>,
    known: IfNoneMatch,
) -> Result<Fresh<CallView>, Problem> {
    let call = caller.session.calls().get(id).await?;
    Ok(Fresh::unless(&known, CallView::from(&call), call.version))
}

async fn update(
    caller: CallerOn<UpdateCalls>,
    _: NoParams,
    PathId(id): PathId<CallKind>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<CallPatch>,
) -> Result<Versioned<CallView>, Problem> {
    let call = caller.session.calls().update(id, patch, version).await?;
    Ok(Versioned(CallView::from(&call), call.version))
}

async fn hang_up(
    caller: CallerOn<PlaceCalls>,
    _: NoParams,
    PathId(id): PathId<CallKind>,
) -> Result<Versioned<CallView>, Problem> {
    let call = caller.session.calls().hang_up(id).await?;
    Ok(Versioned(CallView::from(&call), call.version))
}
