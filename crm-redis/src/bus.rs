//! The bus: nodes tell each other on one channel that there is more to read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crm_core::TenantId;
use crm_core::events::News;
use crm_core::ports::EventBus;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio::time;
use uuid::Uuid;

use crate::Redis;
use crate::link::{Link, Listening};

/// Between two messages of a node: what is told meanwhile goes together into the next one.
const PAUSE: Duration = Duration::from_millis(3);
/// News that wait to be sent. More are one piece of news: that something was missed.
const MOST_WAITING: usize = 4096;
/// News that a listener may be behind.
const MOST_BEHIND: usize = 4096;

/// A node on the bus. The other nodes are all that share the Redis and the prefix.
///
/// Redis keeps nothing of what is told. A node that has been away from it hears [`News::Missed`] when it is
/// back, and so do all others if it had something to tell meanwhile.
pub struct RedisBus {
    node: Arc<Node>,
    redis: Redis,
    link: Link,
    teller: JoinHandle<()>,
}

/// What the tasks and the handle share.
struct Node {
    /// Marks this node's own messages.
    id: Uuid,
    channel: String,
    waiting: Mutex<BTreeSet<News>>,
    told: Notify,
    heard: broadcast::Sender<News>,
}

impl RedisBus {
    pub(crate) fn new(redis: &Redis) -> Self {
        let node = Arc::new(Node {
            id: Uuid::from_bytes(crate::random().unwrap_or_default()),
            channel: redis.common(format_args!("news")),
            waiting: Mutex::default(),
            told: Notify::new(),
            heard: broadcast::Sender::new(MOST_BEHIND),
        });
        let shared = &redis.shared;
        let listening: Arc<dyn Listening> = Arc::clone(&node) as _;
        let link = Link::listening(&shared.runtime, shared.door.clone(), listening);
        let teller = shared.runtime.spawn(tell_all(Arc::clone(&node), redis.clone()));
        RedisBus { node, redis: redis.clone(), link, teller }
    }

    /// Returns when the other nodes are heard: until then, and whenever they are not, listeners will hear
    /// [`News::Missed`]. Waits as long as Redis is away.
    pub async fn listens(&self) {
        self.link.connected().await;
    }
}

impl EventBus for RedisBus {
    fn tell(&self, news: News) {
        self.node.add(news);
        self.node.told.notify_one();
    }

    fn listen(&self) -> BoxStream<'static, News> {
        let heard = self.node.heard.subscribe();
        stream::unfold(heard, |mut heard| async {
            match heard.recv().await {
                Ok(news) => Some((news, heard)),
                Err(RecvError::Lagged(_)) => Some((News::Missed, heard)),
                Err(RecvError::Closed) => None,
            }
        })
        .boxed()
    }

    fn is_up(&self) -> bool {
        self.link.is_up() && self.redis.link().is_up()
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.teller.abort();
    }
}

/// Sends what gathers. What cannot be sent is forgotten but for the fact that there was something.
async fn tell_all(node: Arc<Node>, redis: Redis) {
    loop {
        node.told.notified().await;
        loop {
            let news = std::mem::take(&mut *node.waiting());
            if news.is_empty() {
                break;
            }
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(&node.channel).arg(write(node.id, &news));
            if let Err(error) = redis.link().ask::<()>(&publish).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "news were not told");
                node.add(News::Missed);
                redis.link().connected().await;
            }
            time::sleep(PAUSE).await;
        }
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

    fn pass_on(&self, news: News) {
        // Without listeners there is nobody to tell.
        drop(self.heard.send(news));
    }
}

impl Listening for Node {
    fn channel(&self) -> &str {
        &self.channel
    }

    fn heard(&self, payload: &[u8]) {
        match read(payload) {
            Some((from, news)) if from != self.id => {
                news.into_iter().for_each(|news| self.pass_on(news));
            }
            Some(_) => {}
            None => tracing::debug!(len = payload.len(), "a message that is none of a node's"),
        }
    }

    fn listens(&self) {
        self.pass_on(News::Missed);
    }
}

/// `1`, the node, and each piece of news: its letter and its tenant.
fn write(node: Uuid, news: &BTreeSet<News>) -> String {
    let mut text = format!("1 {}", node.simple());
    for news in news {
        let (letter, tenant) = match news {
            News::Events(tenant) => ('e', Some(tenant)),
            News::Standing(tenant) => ('s', Some(tenant)),
            News::Jobs => ('j', None),
            News::Missed => ('m', None),
        };
        text.push(' ');
        text.push(letter);
        if let Some(tenant) = tenant {
            text.push_str(tenant.as_uuid().simple().encode_lower(&mut Uuid::encode_buffer()));
        }
    }
    text
}

/// The node and its news, where the message is whole and of this version.
fn read(payload: &[u8]) -> Option<(Uuid, Vec<News>)> {
    let mut words = std::str::from_utf8(payload).ok()?.split(' ');
    if words.next()? != "1" {
        return None;
    }
    let node = Uuid::try_parse(words.next()?).ok()?;
    let news = words.map(|word| {
        let tenant = |text| Uuid::try_parse(text).ok().map(TenantId::from_uuid);
        match word.split_at_checked(1)? {
            ("e", rest) => tenant(rest).map(News::Events),
            ("s", rest) => tenant(rest).map(News::Standing),
            ("j", "") => Some(News::Jobs),
            ("m", "") => Some(News::Missed),
            _ => None,
        }
    });
    Some((node, news.collect::<Option<_>>()?))
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBus").field("channel", &self.node.channel).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn what_is_written_is_read() {
        let node = Uuid::from_u128(7);
        let all =
            [News::Events(tenant(1)), News::Standing(tenant(u128::MAX)), News::Jobs, News::Missed];
        for many in 0..=all.len() {
            let news = BTreeSet::from_iter(all[..many].iter().copied());
            let text = write(node, &news);
            assert_eq!(read(text.as_bytes()), Some((node, news.into_iter().collect())), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_news() {
        let node = Uuid::from_u128(7).simple();
        for rest in ["", " ", " x", " e", " e1", " j1", " e ", " je", " é", " j  j", " j\n"] {
            let text = format!("1 {node}{rest}");
            let news = read(text.as_bytes()).map(|(_, news)| news);
            assert_eq!(news, rest.is_empty().then(Vec::new), "{text:?}");
        }
        for text in ["", "1", "2", "1 7", "1 j", &format!("2 {node} j"), &format!("{node} j")] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read(b"1 \xff"), None);
    }
}
