//! What a session can read of the audit log.

use super::model::{AuditEntry, AuditQuery};
use crate::access::ReadAudit;
use crate::entity::EntityRef;
use crate::error::Result;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::session::Session;

/// The audit log of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'s> {
    pub(crate) session: &'s Session,
}

impl Audit<'_> {
    /// The entries, newest first; with `resource` only those about that record.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(
        &self,
        resource: Option<EntityRef>,
        page: &Page,
    ) -> Result<PageOf<AuditEntry>> {
        self.session
            .run("audit.list", async {
                let permit = self.session.authorize::<ReadAudit>()?;
                let list = format!("audit?{resource:?}");
                let query = AuditQuery {
                    resource,
                    before: page.position(&list)?.map(|position| position.id),
                    limit: page.limit() + 1,
                };
                let entries = self.session.store().audit_entries(permit.scope(), &query).await?;
                Ok(PageOf::cut(entries, page.limit(), &list, |last| Position {
                    key: SortKey::Time(last.at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }
}
