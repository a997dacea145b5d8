//! What a session can read of the event log.

use super::group::{GroupName, GroupReader};
use super::model::{EventPosition, RecordedEvent};
use super::subscription::{After, Subscription};
use super::visibility::Visibility;
use crate::access::ReadEvents;
use crate::error::Result;
use crate::session::Session;

/// The event log of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Events<'s> {
    pub(crate) session: &'s Session,
}

impl Events<'_> {
    /// The most events of one read.
    pub const MAX_LIMIT: usize = 1000;

    /// Follows the events that the actor may see, as they happen.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store.
    pub async fn subscribe(&self, after: After) -> Result<Subscription> {
        self.session.run("events.subscribe", Subscription::begin(self.session, after)).await
    }

    /// Follows the events for a group whose place is kept; `otherwise` is where a new group begins.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn group(&self, group: GroupName, otherwise: After) -> Result<GroupReader> {
        self.session
            .run("events.group", async {
                self.session.authorize::<ReadEvents>()?;
                GroupReader::begin(self.session, group, otherwise).await
            })
            .await
    }

    /// The events after `position`, oldest first, at most `limit` (held to 1..=1000).
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn after(&self, position: EventPosition, limit: usize) -> Result<Vec<RecordedEvent>> {
        self.session
            .run("events.after", async {
                let permit = self.session.authorize::<ReadEvents>()?;
                let limit = limit.clamp(1, Self::MAX_LIMIT);
                let (store, scope) = (self.session.store(), permit.scope());
                let visibility = Visibility::of(scope);
                let mut from = position;
                loop {
                    let mut events = store.events_after(scope, from, limit).await?;
                    let full = events.len() >= limit;
                    from = events.last().map_or(from, |last| last.position);
                    // What only its subject sees is nobody else's, whoever may read the log.
                    events.retain(|recorded| visibility.shows_to(&recorded.event));
                    if !events.is_empty() || !full {
                        return Ok(events);
                    }
                }
            })
            .await
    }
}
