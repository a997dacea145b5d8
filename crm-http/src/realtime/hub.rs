//! Where clients are connected: the feeds that they follow, how many they are, and the end of all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crm_core::ports::Connected;
use crm_core::{Actor, Crm, Error, Result, Session, TenantId};
use tokio::sync::watch;
use uuid::Uuid;

use super::feed::Feed;
use super::follower::Follower;

/// Tells the open connections of clients that follow events to end, which a server that stops would else wait
/// for.
#[derive(Debug, Clone)]
pub struct Closing(watch::Sender<bool>);

impl Default for Closing {
    fn default() -> Self {
        Closing(watch::Sender::new(false))
    }
}

impl Closing {
    /// Ends them, and those that come later.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Answers once it is closed.
    pub(crate) async fn closed(&self) {
        // The sender is in `self`.
        self.0.subscribe().wait_for(|closed| *closed).await.ok();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Hub {
    feeds: Mutex<HashMap<TenantId, Slot>>,
    connections: AtomicUsize,
}

/// A tenant's feed, as long as somebody follows it. Whoever comes first makes it while the others wait.
type Slot = Arc<tokio::sync::Mutex<Weak<Feed>>>;

/// One client that is connected.
pub(crate) struct Connection {
    pub(crate) id: Uuid,
    pub(crate) follower: Follower,
    _place: Place,
}

/// A place among the connections.
struct Place(Arc<Hub>);

impl Place {
    fn take(hub: &Arc<Hub>, most: usize) -> Result<Place> {
        let taken = hub.connections.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("crm_realtime_connections").increment(1);
        let place = Place(Arc::clone(hub));
        if taken >= most {
            let message = "too many clients are connected";
            return Err(Error::unavailable(message, format!("{taken} connections")));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("crm_realtime_connections").decrement(1);
    }
}

impl Hub {
    /// Lets a client in.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        crm: &Crm,
        session: Session,
        most: usize,
    ) -> Result<Connection> {
        let place = Place::take(self, most)?;
        let id = crm.new_connection_id()?;
        let feed = self.feed(crm, session.scope().tenant()).await?;
        let attendance = match session.scope().actor() {
            Actor::User(user) => Some(feed.attend(Connected { user, connection: id })),
            Actor::ApiKey(_) | Actor::System => None,
        };
        let follower = Follower::new(crm.clone(), session, feed, attendance);
        Ok(Connection { id, follower, _place: place })
    }

    async fn feed(&self, crm: &Crm, tenant: TenantId) -> Result<Arc<Feed>> {
        let slot = {
            let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            if !feeds.contains_key(&tenant) {
                let is_used =
                    |slot: &Slot| slot.try_lock().is_ok_and(|kept| kept.strong_count() > 0);
                feeds.retain(|_, slot| Arc::strong_count(slot) > 1 || is_used(slot));
            }
            Arc::clone(feeds.entry(tenant).or_default())
        };
        let mut kept = slot.lock().await;
        if let Some(feed) = kept.upgrade() {
            return Ok(feed);
        }
        let feed = Feed::begin(crm, tenant).await?;
        *kept = Arc::downgrade(&feed);
        Ok(feed)
    }
}
