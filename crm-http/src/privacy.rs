//! Consents.

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::OriginalUri;
use crm_core::access::{ReadConsents, RecordConsents};
use crm_core::privacy::{Consent, NewConsent};
use crm_core::{ContactKind, Session};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::extract::{Body, CallerOn, NoParams, Once, PathId};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Reply};

const PRIVACY: Section = Section::Privacy;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/contacts/{id}/consents",
        post_with(
            record,
            about(
                PRIVACY,
                "record_consent",
                &[],
                "Write down what a contact agreed to, or refused",
                "The latest of a purpose holds. 404 where there is no such contact in the tenant.",
            ),
        )
        .get_with(
            list,
            about(
                PRIVACY,
                "list_consents",
                &[],
                "List what a contact ever said",
                "The newest first. 404 where there is no such contact in the tenant.",
            ),
        ),
    )
}

/// What a contact ever said.
#[derive(Serialize, JsonSchema)]
struct Consents {
    /// The newest first.
    items: Vec<Consent>,
}

async fn record(
    caller: CallerOn<RecordConsents>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
    once: Once,
    body: Body<NewConsent>,
) -> Result<Created<Consent>, Problem> {
    let work = async move |session: Session, new| session.privacy().record_consent(id, new).await;
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: CallerOn<ReadConsents>,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
) -> Result<Reply<Consents>, Problem> {
    Ok(Reply(Consents { items: caller.session.privacy().consents(id).await? }))
}
