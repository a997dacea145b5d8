//! Tells the other nodes who is connected to this one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crm_core::ports::Connected;
use crm_core::{Crm, TenantId};

/// How long others believe it of who is not heard of any more.
const LASTS: Duration = Duration::from_secs(60);
/// How often they are told again.
const AGAIN: Duration = Duration::from_secs(20);

/// Who is connected of one tenant.
#[derive(Debug)]
pub(crate) struct Attendances {
    crm: Crm,
    tenant: TenantId,
    here: Mutex<BTreeSet<Connected>>,
}

/// One who is connected, until it is dropped.
#[derive(Debug)]
pub(crate) struct Attendance {
    all: Arc<Attendances>,
    connected: Connected,
}

impl Attendances {
    pub(crate) fn new(crm: Crm, tenant: TenantId) -> Arc<Self> {
        let all = Arc::new(Attendances { crm, tenant, here: Mutex::default() });
        tokio::spawn(repeat(Arc::downgrade(&all)));
        all
    }

    pub(crate) fn attend(self: &Arc<Self>, connected: Connected) -> Attendance {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        here.insert(connected);
        let all = Arc::clone(self);
        tokio::spawn(async move { all.tell(&[connected]).await });
        Attendance { all: Arc::clone(self), connected }
    }

    async fn tell(&self, here: &[Connected]) {
        let now = self.crm.now();
        if let Err(error) = self.crm.presence().here(self.tenant, here, now, LASTS).await {
            tracing::debug!(%error, "others are not told who is connected");
        }
    }
}

async fn repeat(all: Weak<Attendances>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let Some(all) = all.upgrade() else { return };
        let here: Vec<Connected> = {
            let here = all.here.lock().unwrap_or_else(PoisonError::into_inner);
            here.iter().copied().collect()
        };
        if !here.is_empty() {
            all.tell(&here).await;
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let (all, connected) = (Arc::clone(&self.all), self.connected);
        all.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&connected);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // What is not told now ends by itself.
                all.crm.presence().gone(all.tenant, connected).await.ok();
            });
        }
    }
}
