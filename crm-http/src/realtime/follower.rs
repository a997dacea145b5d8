//! One client's way through the events: from where it was, through the log, to what happens now.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use crm_core::events::{After, Delivery, EventPosition, Subscription, Visibility};
use crm_core::{Crm, Error, ErrorKind, NotificationId, Result, Session};
use tokio::sync::watch;
use tokio::time::Instant;

use super::attendance::Attendance;
use super::feed::{Feed, Here};
use super::frames::{Ended, Frame, Position, ToClient, Topic};

/// Frames that are handed out at once.
const AT_ONCE: usize = 256;
/// How long somebody who was up to date may stay so far behind that the log has to be read for them.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How often it is looked whether the client's session still stands, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Follows a feed for one client.
pub(crate) struct Follower {
    crm: Crm,
    session: Session,
    visibility: Visibility,
    feed: Arc<Feed>,
    head: watch::Receiver<EventPosition>,
    topics: Vec<Topic>,
    /// Of the last event that was looked at.
    seen: EventPosition,
    /// What was read and not yet handed out.
    read: Vec<Arc<Frame>>,
    /// The way through the log, for who is behind the feed.
    log: Option<Box<Subscription>>,
    /// Since when somebody who was up to date is behind the feed.
    behind: Option<Instant>,
    was_up_to_date: bool,
    look_again: Instant,
    /// Where the client came in: notifications from before are the backlog's.
    entered: EventPosition,
    backlog: Backlog,
    _attendance: Option<Attendance>,
}

/// Notifications that were waiting for the client.
enum Backlog {
    Ask,
    /// Those that were sent, until the client says that it has them; and whether there may be more.
    Sent(HashSet<NotificationId>, bool),
    Done,
}

/// Notifications of the backlog that are sent at once.
const BACKLOG: usize = 100;

/// What comes next for the client.
pub(crate) enum Step {
    /// To be sent.
    Send(Vec<Utf8Bytes>),
    /// The connection is over.
    End(Ended),
}

impl Follower {
    pub(crate) fn new(
        crm: Crm,
        session: Session,
        feed: Arc<Feed>,
        attendance: Option<Attendance>,
    ) -> Self {
        let is_person = session.scope().actor().user().is_some();
        let mut head = feed.head();
        let seen = *head.borrow_and_update();
        Follower {
            crm,
            visibility: Visibility::of(session.scope()),
            session,
            feed,
            head,
            topics: Vec::new(),
            seen,
            read: Vec::new(),
            log: None,
            behind: None,
            was_up_to_date: true,
            look_again: Instant::now() + LOOK_AGAIN,
            entered: seen,
            backlog: if is_person { Backlog::Ask } else { Backlog::Done },
            _attendance: attendance,
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position(self.seen)
    }

    /// Follows these topics from now on, or from where the client says it was.
    pub(crate) async fn subscribe(
        &mut self,
        topics: Vec<Topic>,
        after: Option<Position>,
    ) -> Result<()> {
        self.topics = topics;
        let Some(Position(after)) = after else { return Ok(()) };
        let is_here =
            after <= *self.head.borrow() && matches!(self.feed.after(after, 0), Here::Frames(_));
        self.seen = after;
        self.read.clear();
        self.log = None;
        if !is_here {
            self.was_up_to_date = false;
            self.behind = None;
            self.read_log().await?;
        }
        // What is there already is news to this client.
        self.head.mark_changed();
        Ok(())
    }

    async fn read_log(&mut self) -> Result<()> {
        let after = After::Position(self.seen);
        self.log = Some(Box::new(self.session.events().subscribe(after).await?));
        Ok(())
    }

    /// The next step. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Step {
        loop {
            let stepped = self.step().await;
            match stepped {
                Ok(Some(step)) => return step,
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Unauthenticated => {
                    return Step::End(Ended::SignedOut);
                }
                Err(error) => {
                    tracing::warn!(%error, "a client cannot be told what happened");
                    return Step::End(Ended::Internal);
                }
            }
        }
    }

    /// The client has a notification.
    pub(crate) async fn acknowledge(&mut self, id: NotificationId) -> Result<()> {
        self.session.notifications().mark_delivered(&[id]).await?;
        if let Backlog::Sent(owed, more) = &mut self.backlog {
            owed.remove(&id);
            if owed.is_empty() && std::mem::take(more) {
                self.backlog = Backlog::Ask;
                self.head.mark_changed();
            }
        }
        Ok(())
    }

    async fn ask_backlog(&mut self) -> Result<Option<Step>> {
        let waiting = self.session.notifications().undelivered(BACKLOG).await?;
        let texts = waiting.iter().map(|notification| {
            let notification = serde_json::value::to_raw_value(notification);
            let notification = &*notification.map_err(Error::internal)?;
            ToClient::Notification { notification }.text()
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let more = waiting.len() == BACKLOG;
        self.backlog = Backlog::Sent(waiting.iter().map(|own| own.id).collect(), more);
        Ok((!texts.is_empty()).then_some(Step::Send(texts)))
    }

    /// What is rare is boxed: a client that waits pays for the way to the store with its own memory else.
    async fn step(&mut self) -> Result<Option<Step>> {
        if matches!(self.backlog, Backlog::Ask) {
            return Box::pin(self.ask_backlog()).await;
        }
        if self.read.is_empty() {
            let stepped = match self.log {
                Some(_) => Box::pin(self.read_from_log()).await?,
                None => self.read_from_feed().await?,
            };
            if stepped.is_some() {
                return Ok(stepped);
            }
        }
        let scope = self.session.scope();
        let is_due = Instant::now() >= self.look_again;
        if (is_due || self.read.iter().any(|frame| frame.touches(scope)))
            && let Some(step) = Box::pin(self.look_again()).await?
        {
            return Ok(Some(step));
        }
        Ok(self.hand_out())
    }

    async fn read_from_feed(&mut self) -> Result<Option<Step>> {
        tokio::select! {
            changed = self.head.changed() => {
                // The feed is held, so it goes on.
                changed.map_err(Error::internal)?;
            }
            () = tokio::time::sleep_until(self.look_again) => return Ok(None),
        }
        match self.feed.after(self.seen, AT_ONCE) {
            Here::Frames(frames) => {
                self.was_up_to_date = true;
                self.behind = None;
                if frames.len() == AT_ONCE {
                    self.head.mark_changed();
                }
                self.read = frames;
            }
            Here::TooFarBack => {
                self.behind.get_or_insert(Instant::now());
                Box::pin(self.read_log()).await?;
            }
        }
        Ok(None)
    }

    async fn read_from_log(&mut self) -> Result<Option<Step>> {
        let Some(log) = &mut self.log else { return Ok(None) };
        if self.was_up_to_date && self.behind.is_some_and(|since| since.elapsed() > CATCH_UP) {
            return Ok(Some(Step::End(Ended::Slow)));
        }
        let deliveries = log.next_now().await?;
        let position = log.position();
        if matches!(self.feed.after(position, 0), Here::Frames(_)) {
            self.log = None;
            self.head.mark_changed();
        }
        for delivery in deliveries {
            match delivery {
                Delivery::Event(recorded) => self.read.push(Arc::new(Frame::of(recorded)?)),
                Delivery::Reset(position) => {
                    self.seen = position;
                    let reset = ToClient::Reset { position: Position(position) };
                    return Ok(Some(Step::Send(vec![reset.text()?])));
                }
            }
        }
        if self.read.is_empty() {
            self.seen = position;
        }
        Ok(None)
    }

    /// What the client gets to see of what was read.
    fn hand_out(&mut self) -> Option<Step> {
        let frames = std::mem::take(&mut self.read);
        self.seen = frames.last().map_or(self.seen, |last| last.position);
        let is_in_backlog = |id: &NotificationId| match &self.backlog {
            Backlog::Sent(owed, _) => owed.contains(id),
            Backlog::Ask | Backlog::Done => false,
        };
        let is_wanted = |frame: &Frame| match &frame.notification {
            Some(id) => frame.position > self.entered && !is_in_backlog(id),
            None => self.topics.iter().any(|topic| topic.holds(frame.contact)),
        };
        let shown =
            frames.iter().filter(|frame| is_wanted(frame) && self.visibility.shows(&frame.event));
        let texts: Vec<Utf8Bytes> = shown.map(|frame| frame.text.clone()).collect();
        (!texts.is_empty()).then_some(Step::Send(texts))
    }

    /// Ends what no longer stands as it did.
    async fn look_again(&mut self) -> Result<Option<Step>> {
        self.look_again = Instant::now() + LOOK_AGAIN;
        match self.crm.renewed(&self.session).await {
            Ok(renewed) if Visibility::of(renewed.scope()) == self.visibility => Ok(None),
            Ok(_) => Ok(Some(Step::End(Ended::SignedOut))),
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "it is not known whether a session still stands");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
