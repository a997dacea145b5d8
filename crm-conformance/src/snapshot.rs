//! Everything that a tenant has, as lines that can be compared.

use crm_core::activities::store::ActivityQuery;
use crm_core::audit::AuditQuery;
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{ContactFilter, Deleted};
use crm_core::events::EventPosition;
use crm_core::identity::CredentialKind;
use crm_core::ports::Store;
use crm_core::{Result, TenantScope};

use crate::env::ALL;

/// One line per record and entry, in the order of the store's lists. Positions of events are left
/// out: they may differ between stores, their order may not.
pub(crate) async fn snapshot(store: &dyn Store, scope: &TenantScope) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut add = |what: &str, line: String| lines.push(format!("{what} {line}"));
    for user in store.users(scope, None, ALL).await? {
        add("user", format!("{user:?}"));
    }
    for kind in [
        CredentialKind::Authenticators,
        CredentialKind::SignIn,
        CredentialKind::ApiKey,
        CredentialKind::Link,
    ] {
        for credential in store.credentials(scope, kind, None, None, ALL).await? {
            add("credential", format!("{credential:?}"));
        }
    }
    for company in store.companies(scope, None, ALL).await? {
        add("company", format!("{company:?}"));
    }
    let filter = ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() };
    let query = ContactQuery { filter, limit: ALL, ..ContactQuery::default() };
    for contact in store.contacts(scope, &query).await? {
        add("contact", format!("{contact:?}"));
    }
    let query = ActivityQuery { limit: ALL, ..ActivityQuery::default() };
    for activity in store.activities(scope, &query).await? {
        add("activity", format!("{activity:?}"));
    }
    let query = AuditQuery { limit: ALL, ..AuditQuery::default() };
    for entry in store.audit_entries(scope, &query).await? {
        add("audit", format!("{entry:?}"));
    }
    for recorded in store.events_after(scope, EventPosition::START, ALL).await? {
        add("event", format!("{:?}", recorded.event));
    }
    Ok(lines)
}
