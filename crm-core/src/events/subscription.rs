//! Following a tenant's events as they happen.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::model::{EventPosition, RecordedEvent};
use super::visibility::Visibility;
use crate::bell::Bell;
use crate::error::Result;
use crate::session::Session;
use crate::time::Timestamp;

/// Events of one read.
const PAGE: usize = 500;
/// Who read to the end so shortly ago has missed nothing: events are kept for longer.
const SURE: Duration = Duration::from_secs(60);

/// Where a reader of the event log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// With what happens from now on.
    Now,
    /// With the oldest event that is kept.
    Start,
    /// With the first event after this position.
    Position(EventPosition),
}

/// What comes of following the log.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The next event.
    Event(RecordedEvent),
    /// Events are missing that are no longer kept, or the position is of another log: what was built from
    /// earlier ones is to be read anew. Events after this position follow.
    Reset(EventPosition),
}

/// The events of a tenant that the session's actor may see, in order, each once, without an end.
///
/// Woken by commits of this process, and by those of others where [`Crm::relay`](crate::Crm::relay) runs. The
/// rights are those that the session had when it was made.
///
/// ```
/// # use crm_core::{contacts::NewContact, events::{After, Delivery}, memory::session_for_docs};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let session = session_for_docs().await?;
/// let mut events = session.events().subscribe(After::Now).await?;
/// session.contacts().create(NewContact::named("Ada", "Lovelace")).await?;
/// let Delivery::Event(recorded) = events.next().await? else { unreachable!() };
/// assert_eq!(recorded.event.name.as_str(), "contact.created.v1");
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
pub struct Subscription {
    session: Session,
    visibility: Visibility,
    bell: Arc<Bell>,
    /// Of the last event that was handed out.
    position: EventPosition,
    /// Of the last event that was read.
    read_to: EventPosition,
    /// When everything had been read.
    at_end: Option<Timestamp>,
    read: VecDeque<RecordedEvent>,
}

impl Subscription {
    pub(super) async fn begin(session: &Session, after: After) -> Result<Self> {
        let bell = session.core().bells.of(session.scope().tenant());
        let position = match after {
            After::Position(position) => position,
            After::Now => session.store().event_bounds(session.scope()).await?.end,
            After::Start => session.store().event_bounds(session.scope()).await?.horizon,
        };
        Ok(Subscription {
            session: session.clone(),
            visibility: Visibility::of(session.scope()),
            bell,
            position,
            read_to: position,
            at_end: None,
            read: VecDeque::new(),
        })
    }

    /// Where the reader is: who begins after it misses nothing and sees nothing twice.
    pub fn position(&self) -> EventPosition {
        self.position
    }

    /// The next delivery. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store; the next call reads on from the same place.
    pub async fn next(&mut self) -> Result<Delivery> {
        loop {
            if let Some(recorded) = self.read.pop_front() {
                self.position = recorded.position;
                return Ok(Delivery::Event(recorded));
            }
            self.position = self.read_to;
            let rung = self.bell.times();
            if let Some(reset) = self.read_on().await? {
                return Ok(Delivery::Reset(reset));
            }
            if self.read.is_empty() && self.at_end.is_some() {
                self.bell.after(rung).await;
            }
        }
    }

    /// What is there and was not yet handed out, as far as one read goes; empty where there is nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Subscription::next`].
    pub async fn next_now(&mut self) -> Result<Vec<Delivery>> {
        if self.read.is_empty()
            && let Some(reset) = self.read_on().await?
        {
            return Ok(vec![Delivery::Reset(reset)]);
        }
        Ok(self.read_already().collect())
    }

    /// What has been read already and was not yet handed out, without looking for more.
    pub fn read_already(&mut self) -> impl Iterator<Item = Delivery> {
        self.position = self.read_to;
        self.read.drain(..).map(Delivery::Event)
    }

    /// Reads what comes next. The new position where that cannot be whole.
    async fn read_on(&mut self) -> Result<Option<EventPosition>> {
        let (store, scope) = (self.session.store(), self.session.scope());
        let now = self.session.env().now();
        let events = store.events_after(scope, self.read_to, PAGE).await?;
        if self.at_end.is_none_or(|at| now.since(at) > SURE || now < at) {
            // After the read: what it was given was there before what is forgotten now.
            let bounds = store.event_bounds(scope).await?;
            if self.read_to < bounds.horizon || self.read_to > bounds.newest {
                self.read_to = bounds.end;
                self.position = bounds.end;
                self.at_end = None;
                return Ok(Some(bounds.end));
            }
        }
        self.at_end = (events.len() < PAGE).then_some(now);
        if let Some(last) = events.last() {
            self.read_to = last.position;
        }
        let visibility = self.visibility;
        self.read.extend(events.into_iter().filter(|recorded| visibility.shows(&recorded.event)));
        Ok(None)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("position", &self.position).finish_non_exhaustive()
    }
}
