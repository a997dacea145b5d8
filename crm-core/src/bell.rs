//! Tells whoever waits in this process that there is more: jobs, or events of a tenant.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::id::TenantId;

/// Rings whoever listens. Nothing is lost: who listens from a count that is passed is answered at once.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    times: u64,
    listeners: Vec<Waker>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let listeners = {
            let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            rung.times += 1;
            std::mem::take(&mut rung.listeners)
        };
        listeners.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn times(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).times
    }

    /// Answers when it has rung more than `times`.
    pub(crate) fn after(self: &Arc<Self>, times: u64) -> Listening {
        Listening { bell: Arc::clone(self), times }
    }
}

pub(crate) struct Listening {
    bell: Arc<Bell>,
    times: u64,
}

impl Future for Listening {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut rung = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rung.times > self.times {
            return Poll::Ready(());
        }
        // A listener that is asked again has one waker; others have one each.
        if !rung.listeners.iter().any(|waker| waker.will_wake(context.waker())) {
            rung.listeners.push(context.waker().clone());
        }
        Poll::Pending
    }
}

/// The bells of tenants whose events somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Bells(Mutex<HashMap<TenantId, Weak<Bell>>>);

impl Bells {
    /// The tenant's bell, which is kept as long as somebody has it.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<Bell> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&tenant).and_then(Weak::upgrade) {
            return bell;
        }
        bells.retain(|_, bell| bell.strong_count() > 0);
        let bell = Arc::default();
        bells.insert(tenant, Arc::downgrade(&bell));
        bell
    }

    /// Rings where somebody waits.
    pub(crate) fn ring(&self, tenant: TenantId) {
        let bell = {
            let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bells.get(&tenant).and_then(Weak::upgrade)
        };
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    pub(crate) fn ring_all(&self) {
        let bells: Vec<_> = {
            let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bells.values().filter_map(Weak::upgrade).collect()
        };
        bells.iter().for_each(|bell| bell.ring());
    }
}
