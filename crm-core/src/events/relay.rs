//! Brings what other nodes tell to those who wait in this process. The host runs it; nothing is spawned.

use std::fmt;
use std::time::Duration;

use futures::future::{self, BoxFuture, Either, FutureExt as _};
use futures::stream::{self, FuturesUnordered, StreamExt as _};

use super::bus::News;
use crate::crm::Crm;

/// How often the log is looked at where the bus reaches nobody: what another process does is seen after it.
const ALONE: Duration = Duration::from_millis(400);
/// How often where it does: for commits that nobody tells of, such as those of a host's own transactions.
const TOLD: Duration = Duration::from_secs(1);

/// Wakes this process's subscriptions and workers for what other nodes have done, and forgets what they have
/// made untrue.
///
/// One for each process that follows events or has a bus to others.
///
/// ```
/// # use crm_core::{Crm, memory::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let crm = Crm::builder(MemoryStore::default()).build()?;
/// let shutdown = async {}; // e.g. a signal
/// crm.relay().run(tokio::time::sleep, shutdown).await;
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
pub struct Relay {
    crm: Crm,
}

/// What a relay waits for.
enum Event {
    News(Option<News>),
    Look,
    Stop,
}

impl Relay {
    pub(crate) fn new(crm: Crm) -> Self {
        Relay { crm }
    }

    /// Relays until `shutdown` comes. `sleep` waits, e.g. `tokio::time::sleep`.
    pub async fn run<S, F>(&self, sleep: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Fn(Duration) -> F + Sync,
        F: Future<Output = ()> + Send,
    {
        let core = self.crm.core();
        let mut events: FuturesUnordered<BoxFuture<'_, Event>> = FuturesUnordered::new();
        let look = || {
            let interval = if core.bus.is_up() { TOLD } else { ALONE };
            sleep(interval).map(|()| Event::Look).boxed()
        };
        let mut news = core.bus.listen();
        events.push(shutdown.map(|()| Event::Stop).boxed());
        events.push(look());
        loop {
            let event = match future::select(news.next(), events.next()).await {
                Either::Left((told, _)) => Event::News(told),
                Either::Right((event, _)) => event.unwrap_or(Event::Stop),
            };
            match event {
                Event::News(Some(told)) => self.pass_on(told),
                // The bus has ended; what is left is looking.
                Event::News(None) => news = stream::pending().boxed(),
                Event::Look => {
                    core.bells.ring_all();
                    events.push(look());
                }
                Event::Stop => return,
            }
        }
    }

    fn pass_on(&self, news: News) {
        let core = self.crm.core();
        match news {
            News::Events(tenant) => core.bells.ring(tenant),
            News::Standing(tenant) => core.standings.forget_tenant(tenant),
            News::Jobs => core.bell.ring(),
            News::Missed => {
                core.standings.forget_all();
                core.bell.ring();
                core.bells.ring_all();
            }
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}
