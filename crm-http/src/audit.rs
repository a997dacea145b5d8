//! The audit log.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use crm_core::access::ReadAudit;
use crm_core::audit::{AuditEntry, ListAudit};
use crm_core::{Page, PageOf};

use crate::App;
use crate::extract::{Caller, Params};
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
                "list_audit_entries", &[],
                "List who did what",
                "Newest first. 400 `malformed` for a `resource` that cannot be read, `invalid_cursor` for \
                 a cursor of another list.",
            ),
        ),
    )
}

async fn list(
    caller: Caller<ReadAudit>,
    Params(asked): Params<ListAudit>,
) -> Result<Reply<PageOf<AuditEntry>>, Problem> {
    let page = Page::asked(asked.limit, asked.cursor.as_ref());
    Ok(Reply(caller.session.audit().list(asked.resource, &page).await?))
}
