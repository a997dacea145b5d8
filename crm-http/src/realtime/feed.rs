//! One tenant's events on this node, read once for all who follow them here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crm_core::events::{After, Delivery, EventPosition, Subscription};
use crm_core::ports::Connected;
use crm_core::{Crm, Error, Result, TenantId};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::attendance::{Attendance, Attendances};
use super::frames::Frame;

/// How far back those who follow can be before they read from the log by themselves.
const MOST_FRAMES: usize = 1_000;
const MOST_BYTES: usize = 1024 * 1024;
/// How long to wait where the log cannot be read.
const BREATHER: Duration = Duration::from_millis(200);

/// The newest events of a tenant, and news of more.
#[derive(Debug)]
pub(crate) struct Feed {
    ring: Mutex<Ring>,
    /// The position of the newest frame.
    head: watch::Sender<EventPosition>,
    reader: Mutex<Option<AbortHandle>>,
    attendances: Arc<Attendances>,
}

#[derive(Debug)]
struct Ring {
    /// Frames begin after it.
    from: EventPosition,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
}

/// What a feed has for who has come to a position.
pub(crate) enum Here {
    /// These follow; none where they have all.
    Frames(Vec<Arc<Frame>>),
    /// They have to be read from the log.
    TooFarBack,
}

impl Feed {
    /// A feed that reads on by itself as long as somebody holds it.
    pub(crate) async fn begin(crm: &Crm, tenant: TenantId) -> Result<Arc<Feed>> {
        let session = crm.system("tell clients what happens")?.session(tenant).await?;
        let subscription = session.events().subscribe(After::Now).await?;
        let from = subscription.position();
        let ring = Ring { from, frames: VecDeque::new(), bytes: 0 };
        let feed = Arc::new(Feed {
            ring: Mutex::new(ring),
            head: watch::Sender::new(from),
            reader: Mutex::new(None),
            attendances: Attendances::new(crm.clone(), tenant),
        });
        let reader = tokio::spawn(read(Arc::downgrade(&feed), subscription));
        *feed.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.abort_handle());
        Ok(feed)
    }

    /// Tells that somebody is connected.
    pub(crate) fn attend(&self, connected: Connected) -> Attendance {
        self.attendances.attend(connected)
    }

    /// Changes whenever there are more frames.
    pub(crate) fn head(&self) -> watch::Receiver<EventPosition> {
        self.head.subscribe()
    }

    /// At most `limit` frames after `position`.
    pub(crate) fn after(&self, position: EventPosition, limit: usize) -> Here {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if position < ring.from {
            return Here::TooFarBack;
        }
        let first = ring.frames.partition_point(|frame| frame.position <= position);
        Here::Frames(ring.frames.iter().skip(first).take(limit).cloned().collect())
    }

    fn add(&self, deliveries: Vec<Delivery>) -> Result<()> {
        let mut head = *self.head.borrow();
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for delivery in deliveries {
                match delivery {
                    Delivery::Event(recorded) => {
                        let frame = Frame::of(recorded)?;
                        head = frame.position;
                        ring.bytes += frame.text.len();
                        ring.frames.push_back(Arc::new(frame));
                    }
                    // Who follows finds the gap in the log.
                    Delivery::Reset(position) => {
                        head = position;
                        *ring = Ring { from: position, frames: VecDeque::new(), bytes: 0 };
                    }
                }
            }
            while ring.frames.len() > MOST_FRAMES || ring.bytes > MOST_BYTES {
                let Some(oldest) = ring.frames.pop_front() else { break };
                ring.bytes -= oldest.text.len();
                ring.from = oldest.position;
            }
        }
        self.head.send_replace(head);
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let reader = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = reader.take() {
            reader.abort();
        }
    }
}

async fn read(feed: Weak<Feed>, mut subscription: Subscription) {
    loop {
        let read = async {
            let mut deliveries = vec![subscription.next().await?];
            if matches!(deliveries.first(), Some(Delivery::Event(_))) {
                deliveries.extend(subscription.read_already());
            }
            Ok::<_, Error>(deliveries)
        };
        let read = read.await;
        let Some(feed) = feed.upgrade() else { return };
        if let Err(error) = read.and_then(|deliveries| feed.add(deliveries)) {
            tracing::warn!(%error, "events cannot be read; once more");
            tokio::time::sleep(BREATHER).await;
        }
    }
}
