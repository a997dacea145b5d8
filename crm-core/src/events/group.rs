//! Readers of the event log whose place is kept.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::model::{EventPosition, RecordedEvent};
use super::subscription::{After, Delivery, Subscription};
use crate::changes::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;

/// The name of a group: 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`. Those that begin with `crm.` are the
/// CRM's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct GroupName(String);

impl GroupName {
    const MAX: usize = 64;

    /// A name of the CRM's own.
    pub(crate) fn own(name: &'static str) -> Self {
        GroupName(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let wrong = |message: &str| Error::invalid_field("group", "invalid_group", message);
        if text.is_empty() || text.len() > GroupName::MAX || !text.bytes().all(allowed) {
            return Err(wrong("a group is named by 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`"));
        }
        if text.starts_with("crm.") {
            return Err(wrong("names that begin with `crm.` are the CRM's own"));
        }
        Ok(GroupName(text.to_owned()))
    }
}

/// A group that moves with a unit of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProgress {
    /// The group.
    pub group: GroupName,
    /// Where the unit found it; `None` where it was not there.
    pub from: Option<EventPosition>,
    /// Where it goes.
    pub to: EventPosition,
}

impl GroupProgress {
    /// What a store says of a unit whose group is elsewhere.
    pub fn refused(&self) -> Error {
        let group = self.group.as_str();
        let message = format!("another reader has moved the group `{group}`");
        Error::new(ErrorKind::Conflict, message)
    }
}

/// Follows the tenant's events for a group whose place the store keeps: whoever reads for the group begins where
/// it has come to. Each event is handled at least once; several readers of one group do no harm, for only one of
/// them moves it, and the others read on from there.
///
/// ```
/// # use crm_core::{contacts::NewContact, events::After, memory::session_for_docs};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let session = session_for_docs().await?;
/// # session.contacts().create(NewContact::named("Ada", "Lovelace")).await?;
/// let mut letters = session.events().group("letters".parse()?, After::Start).await?;
/// let batch = letters.next().await?;
/// for recorded in batch.events() {
///     println!("{}", recorded.event.name);
/// }
/// batch.done().await?;
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
pub struct GroupReader {
    session: Session,
    group: GroupName,
    otherwise: After,
    subscription: Subscription,
    /// Where the store has the group.
    kept: EventPosition,
}

impl GroupReader {
    pub(super) async fn begin(
        session: &Session,
        group: GroupName,
        otherwise: After,
    ) -> Result<Self> {
        let kept = place(session, &group, otherwise).await?;
        let subscription = Subscription::begin(session, After::Position(kept)).await?;
        Ok(GroupReader { session: session.clone(), group, otherwise, subscription, kept })
    }

    /// The next events, at most some hundreds, as soon as there is one. Until they are
    /// [`done`](Batch::done), they come again. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store; the next call reads on from the same place.
    pub async fn next(&mut self) -> Result<Batch> {
        self.find_place().await?;
        let first = self.subscription.next().await?;
        self.batch(vec![first]).await
    }

    /// What is there already, at most some hundreds; `None` where there is nothing.
    ///
    /// # Errors
    ///
    /// Those of [`GroupReader::next`].
    pub async fn next_now(&mut self) -> Result<Option<Batch>> {
        self.find_place().await?;
        let here = self.subscription.next_now().await?;
        if here.is_empty() {
            return Ok(None);
        }
        self.batch(here).await.map(Some)
    }

    /// Goes to where the group is: another reader may have moved it, or the last batch was not done.
    async fn find_place(&mut self) -> Result<()> {
        self.kept = place(&self.session, &self.group, self.otherwise).await?;
        if self.kept != self.subscription.position() {
            self.subscription =
                Subscription::begin(&self.session, After::Position(self.kept)).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, mut deliveries: Vec<Delivery>) -> Result<Batch> {
        let incomplete = deliveries.iter().any(|one| matches!(one, Delivery::Reset(_)));
        if incomplete {
            // What is still kept is the group's to handle.
            self.subscription = Subscription::begin(&self.session, After::Start).await?;
            deliveries = self.subscription.next_now().await?;
        }
        deliveries.extend(self.subscription.read_already());
        let events = deliveries.into_iter().filter_map(Delivery::event).collect();
        let (group, from) = (self.group.clone(), Some(self.kept));
        let progress = GroupProgress { group, from, to: self.subscription.position() };
        Ok(Batch { session: self.session.consuming(progress), events, incomplete })
    }
}

/// Where the group is. One that is not there yet is put where it is to begin, so that whoever reads for it next
/// begins there, too.
async fn place(session: &Session, group: &GroupName, otherwise: After) -> Result<EventPosition> {
    let (store, scope) = (session.store(), session.scope());
    if let Some(kept) = store.event_group(scope, group).await? {
        return Ok(kept);
    }
    let to = Subscription::begin(session, otherwise).await?.position();
    let progress = GroupProgress { group: group.clone(), from: None, to: to.held() };
    let moving = session.consuming(progress);
    match moving.commit(moving.new_changes()).await {
        // Another reader was first.
        Err(error) if error.kind() == ErrorKind::Conflict => {
            store.event_group(scope, group).await?.ok_or(error)
        }
        moved => moved.map(|()| to.held()),
    }
}

/// Events for a group.
pub struct Batch {
    session: Session,
    events: Vec<RecordedEvent>,
    incomplete: bool,
}

impl Batch {
    /// The events, oldest first.
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// Whether events before these are no longer kept: the group was away for too long.
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// A session whose first write moves the group past this batch in the same commit, if no other reader has
    /// done so: the effect is there once, however often the events come. A second write in it is refused.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Moves the group past the batch.
    ///
    /// # Errors
    ///
    /// `conflict` when another reader has moved it; `unavailable` or `internal` from the store.
    pub async fn done(self) -> Result<()> {
        let changes: Changes = self.session.new_changes();
        self.session.commit(changes).await
    }
}

impl fmt::Debug for GroupReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupReader").field("group", &self.group).finish_non_exhaustive()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("events", &self.events.len()).finish_non_exhaustive()
    }
}
