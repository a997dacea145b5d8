//! Who may come in, remembered for less than a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::changes::{Changes, Write};
use crate::id::TenantId;
use crate::identity::{Standing, StandingOf};
use crate::time::Timestamp;

/// How long a look at the store serves. A change on another node is seen after it at the latest, and
/// must be within one second; the rest of that is for the look itself.
const SERVES: Duration = Duration::from_millis(700);

/// From how many on all are forgotten at once: those that are asked for come back.
const MOST: usize = 10_000;

/// What the last looks at the store have shown.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    known: RwLock<HashMap<(TenantId, StandingOf), Known>>,
    /// Counts the changes of this node, so that a look that began before one does not outlive it.
    changes: AtomicU64,
}

#[derive(Debug, Clone)]
struct Known {
    standing: Arc<Standing>,
    looked_at: Timestamp,
}

/// A look at the store that has begun.
pub(crate) struct Look {
    changes: u64,
    began: Timestamp,
}

impl Standings {
    pub(crate) fn known(
        &self,
        tenant: TenantId,
        of: StandingOf,
        now: Timestamp,
    ) -> Option<Arc<Standing>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&(tenant, of))?;
        // A clock that was set back must not keep a look alive.
        let fresh = known.looked_at <= now && now.since(known.looked_at) < SERVES;
        fresh.then(|| Arc::clone(&known.standing))
    }

    pub(crate) fn look(&self, now: Timestamp) -> Look {
        Look { changes: self.changes.load(Ordering::SeqCst), began: now }
    }

    pub(crate) fn learn(
        &self,
        tenant: TenantId,
        of: StandingOf,
        look: &Look,
        standing: &Arc<Standing>,
    ) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) != look.changes {
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        let standing = Arc::clone(standing);
        known.insert((tenant, of), Known { standing, looked_at: look.began });
    }

    /// Forgets the tenant's standings where `changes`, which are committed, may have changed one.
    pub(crate) fn forget(&self, changes: &Touched) {
        if let Touched(Some(tenant)) = changes {
            self.forget_tenant(*tenant);
        }
    }

    pub(crate) fn forget_tenant(&self, tenant: TenantId) {
        self.forget_where(|of| of == tenant);
    }

    pub(crate) fn forget_all(&self) {
        self.forget_where(|_| true);
    }

    fn forget_where(&self, forgotten: impl Fn(TenantId) -> bool) {
        // Before what is known goes: a look that begins now sees the commit.
        self.changes.fetch_add(1, Ordering::SeqCst);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _), _| !forgotten(*of));
    }
}

/// The tenant whose standings a unit of work touches, if it touches any.
pub(crate) struct Touched(pub(crate) Option<TenantId>);

impl Touched {
    pub(crate) fn by(changes: &Changes) -> Self {
        let touches = changes.iter().any(|change| match change.write() {
            Write::UpdateTenant { .. } | Write::UpdateUser { .. } => true,
            Write::PutCredential { expected_version, .. } => *expected_version > 0,
            Write::InsertTenant(_)
            | Write::InsertUser(_)
            | Write::InsertCompany(_)
            | Write::UpdateCompany { .. }
            | Write::InsertContact { .. }
            | Write::UpdateContact { .. }
            | Write::InsertActivity(_)
            | Write::InsertConsent(_)
            | Write::PutTelephonyAccount { .. }
            | Write::PutCall { .. }
            | Write::PutSchedule { .. }
            | Write::PutNotification { .. }
            | Write::PutNotificationPreferences { .. }
            | Write::RetryJob(_)
            | Write::DiscardJob(_)
            | Write::Nothing => false,
        });
        Touched(touches.then(|| changes.tenant()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;
    use uuid::Uuid;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).unwrap().after(Duration::from_millis(millis))
    }

    fn standing() -> (TenantId, StandingOf, Arc<Standing>) {
        let tenant = serde_json::from_str(
            r#"{"id": "019aa0f0-7d3a-7000-8000-000000000000", "name": "Acme", "slug": "acme",
                "default_region": "DE", "created_at": "2026-01-01T00:00:00Z", "version": 1}"#,
        );
        let standing = Standing { tenant: tenant.unwrap(), user: None, credential: None };
        (standing.tenant.id, StandingOf::User(UserId::from_uuid(Uuid::nil())), Arc::new(standing))
    }

    #[test]
    fn a_look_serves_for_less_than_a_second() {
        let (tenant, of, standing) = standing();
        let standings = Standings::default();
        let look = standings.look(at(0));
        standings.learn(tenant, of, &look, &standing);
        assert!(standings.known(tenant, of, at(699)).is_some());
        assert!(standings.known(tenant, of, at(700)).is_none());
        assert!(standings.known(TenantId::from_uuid(Uuid::nil()), of, at(0)).is_none());
    }

    #[test]
    fn a_look_that_began_before_a_change_is_not_kept() {
        let (tenant, of, standing) = standing();
        let standings = Standings::default();
        let look = standings.look(at(0));
        standings.forget(&Touched(Some(tenant)));
        standings.learn(tenant, of, &look, &standing);
        assert!(standings.known(tenant, of, at(1)).is_none());
    }

    #[test]
    fn a_change_is_seen_at_once() {
        let (tenant, of, standing) = standing();
        let standings = Standings::default();
        standings.learn(tenant, of, &standings.look(at(0)), &standing);
        standings.forget(&Touched(None));
        assert!(standings.known(tenant, of, at(1)).is_some());
        standings.forget(&Touched(Some(tenant)));
        assert!(standings.known(tenant, of, at(1)).is_none());
    }
}
