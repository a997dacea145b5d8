//! A bus between nodes that a host has: a channel on which each node hears the messages of all.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crm_core::ports::{EventBus, News, Randomness as _, SystemRandomness};
use crm_core::{Error, Result, TenantId};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time;

use super::TimeLimits;
use super::door::Door;
use super::host::{Host, HostError};
use super::value::{HostStream, HostValue};

/// Between two messages of a node: what is told meanwhile goes together into the next one.
const PAUSE: Duration = Duration::from_millis(3);
/// News that wait to be sent. More are one piece of news: that something was missed.
const MOST_WAITING: usize = 4096;
/// News that a listener may be behind.
const MOST_BEHIND: usize = 4096;
/// News in one message, so that it stays under 8 KB, which PostgreSQL's NOTIFY can send.
const MOST_TOGETHER: usize = 100;
/// Before the first new attempt at a channel that failed; each further one waits twice as long, up to
/// [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A node on a bus of the host's. The adapter keeps what the port asks for: it gathers what is told, tells a
/// node's own messages from the others', connects again, and says when something may have been missed.
pub struct HostBus {
    node: Arc<Node>,
    tasks: [JoinHandle<()>; 2],
}

struct Node {
    door: Door,
    /// Marks this node's own messages.
    id: String,
    waiting: Mutex<BTreeSet<News>>,
    told: Notify,
    heard: broadcast::Sender<News>,
    hears: AtomicBool,
    tells: AtomicBool,
}

/// A message of a node's.
#[derive(Serialize, Deserialize)]
struct Message {
    node: String,
    news: Vec<Piece>,
}

/// [`News`] as they are written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    Events(TenantId),
    Standing(TenantId),
    Jobs,
    Missed,
}

impl HostBus {
    /// A node that listens, on `runtime`, until it is dropped.
    ///
    /// # Errors
    ///
    /// `invalid` where the host has not both of `publish` and `subscribe`; `unavailable` without randomness.
    pub fn new(host: Arc<dyn Host>, limits: TimeLimits, runtime: &Handle) -> Result<Self> {
        let door = Door::new(host, "bus", limits, &["publish", "subscribe"])?;
        let mut id = [0; 16];
        SystemRandomness.fill(&mut id)?;
        let node = Arc::new(Node {
            door,
            id: format!("{:032x}", u128::from_be_bytes(id)),
            waiting: Mutex::default(),
            told: Notify::new(),
            heard: broadcast::Sender::new(MOST_BEHIND),
            hears: AtomicBool::new(false),
            tells: AtomicBool::new(true),
        });
        let tasks = [
            runtime.spawn(hear_all(Arc::clone(&node))),
            runtime.spawn(tell_all(Arc::clone(&node))),
        ];
        Ok(HostBus { node, tasks })
    }

    /// Ends it while others still hold it: it says and hears nothing any more.
    pub(super) fn ends(&self) -> [AbortHandle; 2] {
        self.tasks.each_ref().map(JoinHandle::abort_handle)
    }
}

impl EventBus for HostBus {
    fn tell(&self, news: News) {
        self.node.add(news);
        self.node.told.notify_one();
    }

    fn listen(&self) -> BoxStream<'static, News> {
        stream::unfold(self.node.heard.subscribe(), |mut heard| async {
            match heard.recv().await {
                Ok(news) => Some((news, heard)),
                Err(RecvError::Lagged(_)) => Some((News::Missed, heard)),
                Err(RecvError::Closed) => None,
            }
        })
        .boxed()
    }

    fn is_up(&self) -> bool {
        self.node.hears.load(Ordering::SeqCst) && self.node.tells.load(Ordering::SeqCst)
    }
}

impl Drop for HostBus {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn log(error: &Error, what: &str) {
    tracing::debug!(error = error as &dyn std::error::Error, "{what}");
}

/// Sends what gathers. What cannot be sent is forgotten but for the fact that there was something.
async fn tell_all(node: Arc<Node>) {
    let mut wait = FIRST_WAIT;
    loop {
        node.told.notified().await;
        loop {
            let message = node.take();
            let Some(message) = message else { break };
            match node.door.call("publish", vec![("message", message.into())]).await {
                Ok(_) => {
                    node.tells.store(true, Ordering::SeqCst);
                    wait = FIRST_WAIT;
                    time::sleep(PAUSE).await;
                }
                Err(failed) => {
                    log(&failed.error, "news were not told");
                    node.tells.store(false, Ordering::SeqCst);
                    node.add(News::Missed);
                    time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }
}

/// Listens, again and again.
async fn hear_all(node: Arc<Node>) {
    let mut wait = FIRST_WAIT;
    loop {
        let heard_any = match node.subscribe().await {
            Ok(messages) => node.hear(messages).await,
            Err(error) => {
                log(&error, "the host's bus cannot be listened to");
                false
            }
        };
        node.hears.store(false, Ordering::SeqCst);
        wait = if heard_any { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        time::sleep(wait).await;
    }
}

impl Node {
    fn waiting(&self) -> MutexGuard<'_, BTreeSet<News>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, news: News) {
        let mut waiting = self.waiting();
        if waiting.contains(&News::Missed) {
            return;
        }
        if news == News::Missed || waiting.len() >= MOST_WAITING {
            waiting.clear();
            waiting.insert(News::Missed);
        } else {
            waiting.insert(news);
        }
    }

    /// Some of what waits, as a message.
    fn take(&self) -> Option<String> {
        let mut waiting = self.waiting();
        let mut news = Vec::new();
        while news.len() < MOST_TOGETHER
            && let Some(piece) = waiting.pop_first()
        {
            news.push(Piece::from(piece));
        }
        let message = Message { node: self.id.clone(), news };
        // A message of texts can be written.
        if message.news.is_empty() { None } else { serde_json::to_string(&message).ok() }
    }

    async fn subscribe(&self) -> Result<HostStream> {
        self.door.call("subscribe", Vec::new()).await?.stream()
    }

    /// Passes on what is heard until the channel ends; whether it was ever listened to.
    async fn hear(&self, mut messages: HostStream) -> bool {
        let (asked, limit) = (self.door.asked("subscribe"), self.door.limits.call);
        let mut listens = false;
        let error = loop {
            let message = if listens {
                messages.next().await
            } else {
                match time::timeout(limit, messages.next()).await {
                    Ok(message) => message,
                    Err(_) => break asked.failed(HostError::late(), limit).error,
                }
            };
            match message {
                Some(Ok(HostValue::Null)) => {
                    listens = true;
                    self.pass_on(News::Missed);
                    self.hears.store(true, Ordering::SeqCst);
                    // What could not be told is tried again at once.
                    self.told.notify_one();
                }
                Some(Ok(HostValue::Text(_) | HostValue::Bytes(_))) if !listens => {
                    break asked.wrong("", "a message before the `None` that says that it listens");
                }
                Some(Ok(HostValue::Text(text))) => self.heard(text.as_bytes()),
                Some(Ok(HostValue::Bytes(bytes))) => self.heard(&bytes),
                Some(Ok(other)) => {
                    break asked.wrong("", &format!("expected text, found {}", other.what()));
                }
                Some(Err(raised)) => break asked.failed(raised, limit).error,
                None => return listens,
            }
        };
        log(&error, "the host's bus has ended");
        listens
    }

    fn heard(&self, text: &[u8]) {
        match serde_json::from_slice::<Message>(text) {
            Ok(message) if message.node == self.id => {}
            Ok(message) => message.news.into_iter().for_each(|news| self.pass_on(news.into())),
            Err(_) => tracing::debug!(len = text.len(), "a message that is none of a node's"),
        }
    }

    fn pass_on(&self, news: News) {
        // Without listeners there is nobody to tell.
        drop(self.heard.send(news));
    }
}

impl From<News> for Piece {
    fn from(news: News) -> Self {
        match news {
            News::Events(tenant) => Piece::Events(tenant),
            News::Standing(tenant) => Piece::Standing(tenant),
            News::Jobs => Piece::Jobs,
            News::Missed => Piece::Missed,
        }
    }
}

impl From<Piece> for News {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Events(tenant) => News::Events(tenant),
            Piece::Standing(tenant) => News::Standing(tenant),
            Piece::Jobs => News::Jobs,
            Piece::Missed => News::Missed,
        }
    }
}

impl fmt::Debug for HostBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBus").field("node", &self.node.id).finish_non_exhaustive()
    }
}
