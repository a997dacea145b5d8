//! The audit log.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use crm_core::access::ReadAudit;
use crm_core::audit::AuditEntry;
use crm_core::{EntityRef, PageOf};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::App;
use crate::extract::{Caller, Cursor, Limit, Params, page};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::Reply;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/audit",
        get_with(
            list,
            about(
                Section::Audit,
                "list_audit_entries",
                "List who did what",
                "Newest first. 400 `malformed` for a `resource` that cannot be read, `invalid_cursor` for \
                 a cursor of another list.",
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
    /// About this record alone, as `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
    #[serde(default, deserialize_with = "resource")]
    #[schemars(with = "Option<String>", regex(pattern = RESOURCE))]
    resource: Option<EntityRef>,
}

const RESOURCE: &str = "^(tenant|user|company|contact|activity|session|api_key):\
    [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

fn resource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EntityRef>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

async fn list(
    caller: Caller<ReadAudit>,
    Params(params): Params<ListParams>,
) -> Result<Reply<PageOf<AuditEntry>>, Problem> {
    let page = page(params.limit, params.cursor);
    Ok(Reply(caller.session.audit().list(params.resource, &page).await?))
}
