//! Old events are forgotten, each tenant's once an hour.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::crm::Crm;
use crate::error::Result;
use crate::id::TenantId;
use crate::scope::{SystemScope, TenantScope};
use crate::tenancy::Slug;
use crate::time::Timestamp;

/// How often a tenant's log is shortened.
const EVERY: Duration = Duration::from_secs(3600);
/// Events that are forgotten in one transaction.
const AT_ONCE: usize = 1000;
/// Tenants of one read.
const TENANTS: usize = 100;

/// Where a worker is on its way through the tenants.
#[derive(Debug, Default)]
pub(crate) struct Retention(Mutex<Way>);

#[derive(Debug, Default)]
struct Way {
    /// The last tenant of the page before.
    after: Option<Slug>,
    /// When the way through the tenants began, and whether it has come to its end.
    began: Option<(Timestamp, bool)>,
    /// Tenants whose log had more than one transaction forgets.
    full: BTreeMap<TenantId, TenantScope>,
}

impl Retention {
    /// The next step: a page of tenants, or those once more that had more to forget. Each has one transaction
    /// in it. Says whether there is another step to make at once.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store; the next step goes on from there.
    pub(crate) async fn step(&self, crm: &Crm) -> Result<bool> {
        let core = crm.core();
        let now = core.env.now();
        let Some(tenants) = self.next(crm, now).await? else { return Ok(false) };
        let kept = i64::try_from(core.events_kept.as_micros()).unwrap_or(i64::MAX);
        let before = now.saturating_add_micros(-kept);
        for scope in tenants {
            match core.store.forget_events(&scope, before, AT_ONCE).await {
                Ok(AT_ONCE..) => drop(self.way().full.insert(scope.tenant(), scope)),
                Ok(_) => {}
                // The others have their turn; this one has the next.
                Err(error) => tracing::warn!(%error, "old events cannot be forgotten"),
            }
        }
        let way = self.way();
        Ok(!way.full.is_empty() || way.began.is_some_and(|(_, ended)| !ended))
    }

    /// The tenants of the next step; `None` where it is not yet time.
    async fn next(&self, crm: &Crm, now: Timestamp) -> Result<Option<Vec<TenantScope>>> {
        let after = {
            let mut way = self.way();
            if !way.full.is_empty() {
                return Ok(Some(std::mem::take(&mut way.full).into_values().collect()));
            }
            match way.began {
                // A clock that was set back must not put it off for long.
                Some((began, true)) if began <= now && now.since(began) < EVERY => return Ok(None),
                Some((_, false)) => {}
                Some((_, true)) | None => {
                    way.began = Some((now, false));
                    way.after = None;
                }
            }
            way.after.clone()
        };
        let request_id = crm.new_request_id()?;
        let scope = SystemScope::new("forget old events", request_id.clone());
        let page = crm.core().store.tenants(&scope, after.as_ref(), TENANTS).await?;
        let mut way = self.way();
        if page.len() < TENANTS {
            way.began = way.began.map(|(began, _)| (began, true));
        }
        way.after = page.last().map(|tenant| tenant.slug.clone());
        let scopes = page.into_iter().map(|tenant| {
            TenantScope::of_system(tenant.id, tenant.default_region, request_id.clone())
        });
        Ok(Some(scopes.collect()))
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
