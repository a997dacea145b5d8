//! The bus between nodes that share a database, by `LISTEN` and `NOTIFY`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crm_core::events::News;
use crm_core::ports::{EventBus, Randomness as _, SystemRandomness};
use crm_core::{Result, TenantId};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::error::unreachable;
use crate::migrate;
use crate::schema::SchemaName;

/// News of this while are told together.
const GATHER: Duration = Duration::from_millis(3);
/// The server takes 7999 bytes.
const PAYLOAD: usize = 7_900;
/// From so much on that could not be told, everything is to be looked at.
const MOST_UNTOLD: usize = 10_000;
/// What a listener may be behind before it is told that it has missed something.
const BEHIND: usize = 4_096;
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a node hears itself where there is nothing to tell, and after which silence the connection is taken for
/// dead.
const BEAT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);
/// The pause before another connection is tried, and the longest that it grows to.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tells the other nodes of a database that there is more to read, over two connections of its own: one listens, the
/// other tells, after the commit and in no transaction of the store. Clones are one node.
///
/// The URL must lead to the server itself: `LISTEN` does not work through pgbouncer in transaction mode, so a
/// store that goes through it has another URL than its bus. Installations in several schemas of a database
/// do not hear each other. Whoever may log in to the database can hear the ids of tenants in which something
/// happens, and can say that something did, which costs a look.
///
/// ```no_run
/// # async fn open() -> crm_core::Result<()> {
/// use crm_postgres::{PostgresBus, PostgresStore, SchemaName};
/// let url = "postgres://crm_app:secret@db/crm";
/// let bus = PostgresBus::connect(url, &SchemaName::default()).await?;
/// let crm = crm_core::Crm::builder(PostgresStore::connect(url).await?).bus(bus).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresBus {
    node: Arc<Node>,
}

/// Ends with its last clone, and with it what it runs.
struct Node {
    untold: Arc<Untold>,
    heard: broadcast::Sender<News>,
    up: Arc<Up>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Untold {
    news: Mutex<BTreeSet<News>>,
    more: Notify,
}

#[derive(Default)]
struct Up {
    listens: AtomicBool,
    tells: AtomicBool,
}

/// What both tasks know.
struct Wire {
    options: PgConnectOptions,
    channel: String,
    /// What this node's payloads begin with.
    id: String,
    up: Arc<Up>,
}

impl PostgresBus {
    /// Connects to the server of this URL, for the nodes whose tables are in `schema`. Runs within a Tokio runtime.
    ///
    /// A connection that is lost later is made anew, and who listens hears [`News::Missed`].
    ///
    /// # Errors
    ///
    /// `invalid` when the URL is none, `unavailable` when the server cannot be reached.
    pub async fn connect(url: &str, schema: &SchemaName) -> Result<Self> {
        let options = migrate::options(url)?.application_name("crm-core bus");
        let mut id = [0; 8];
        SystemRandomness.fill(&mut id)?;
        let wire = Arc::new(Wire {
            options: options.disable_statement_logging(),
            channel: format!("{schema}_news"),
            id: format!("{:016x}", u64::from_be_bytes(id)),
            up: Arc::default(),
        });
        let listener = wire.listen().await.map_err(unreachable)?;
        let teller = wire.connection().await.map_err(unreachable)?;
        wire.up.listens.store(true, Ordering::SeqCst);
        wire.up.tells.store(true, Ordering::SeqCst);
        let (heard, _) = broadcast::channel(BEHIND);
        let untold = Arc::<Untold>::default();
        let up = Arc::clone(&wire.up);
        let tasks = [
            tokio::spawn(hear(Arc::clone(&wire), listener, heard.clone())),
            tokio::spawn(tell(wire, teller, Arc::clone(&untold))),
        ];
        Ok(PostgresBus { node: Arc::new(Node { untold, heard, up, tasks }) })
    }
}

impl EventBus for PostgresBus {
    fn tell(&self, news: News) {
        self.node.untold.add([news]);
    }

    fn listen(&self) -> BoxStream<'static, News> {
        let heard = self.node.heard.subscribe();
        stream::unfold(heard, |mut heard| async move {
            match heard.recv().await {
                Ok(news) => Some((news, heard)),
                Err(RecvError::Lagged(_)) => Some((News::Missed, heard)),
                Err(RecvError::Closed) => None,
            }
        })
        .boxed()
    }

    fn is_up(&self) -> bool {
        let up = &self.node.up;
        up.listens.load(Ordering::SeqCst) && up.tells.load(Ordering::SeqCst)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Untold {
    fn add(&self, news: impl IntoIterator<Item = News>) {
        let mut untold = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        untold.extend(news);
        if untold.len() > MOST_UNTOLD {
            *untold = BTreeSet::from([News::Missed]);
        }
        self.more.notify_one();
    }

    fn take(&self) -> BTreeSet<News> {
        std::mem::take(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wire {
    /// A connection that hears what is told from now on.
    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        patiently(async {
            let pool = PgPoolOptions::new().max_connections(1).connect_with(self.options.clone());
            let mut listener = PgListener::connect_with(&pool.await?).await?;
            listener.eager_reconnect(false);
            listener.listen(&self.channel).await?;
            Ok(listener)
        })
        .await
    }

    async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        patiently(self.options.connect()).await
    }

    async fn notify(&self, teller: &mut PgConnection, payload: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::query("select pg_notify($1, $2)").bind(&self.channel).bind(payload);
        patiently(sql.execute(teller)).await.map(drop)
    }
}

async fn patiently<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Hands on what the other nodes tell, over one connection after the other.
async fn hear(wire: Arc<Wire>, mut listener: PgListener, heard: broadcast::Sender<News>) {
    loop {
        // Elapsed: not even this node's own beats come through.
        while let Ok(Ok(Some(told))) = timeout(SILENCE, listener.try_recv()).await {
            let mut words = told.payload().split(' ');
            if words.next() != Some(&*wire.id) {
                for news in words.filter_map(read) {
                    // Nobody may be listening.
                    heard.send(news).ok();
                }
            }
        }
        wire.up.listens.store(false, Ordering::SeqCst);
        drop(listener);
        tracing::warn!("the bus is lost; connecting again");
        listener = again(|| wire.listen()).await;
        wire.up.listens.store(true, Ordering::SeqCst);
        heard.send(News::Missed).ok();
    }
}

/// Tells what there is to tell, and a beat where there is nothing.
async fn tell(wire: Arc<Wire>, mut teller: PgConnection, untold: Arc<Untold>) {
    loop {
        // Elapsed: time for a beat.
        timeout(BEAT, untold.more.notified()).await.ok();
        let news = untold.take();
        let mut told = Ok(());
        for payload in payloads(&wire.id, &news) {
            told = wire.notify(&mut teller, &payload).await;
            if told.is_err() {
                break;
            }
        }
        if let Err(error) = told {
            wire.up.tells.store(false, Ordering::SeqCst);
            tracing::warn!(%error, "the bus cannot be told; connecting again");
            // What was told may be told twice, and not lost.
            untold.add(news);
            teller = again(|| wire.connection()).await;
            wire.up.tells.store(true, Ordering::SeqCst);
        }
        sleep(GATHER).await;
    }
}

/// Tries until there is a connection.
async fn again<T, F>(connect: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut pause = PAUSE;
    loop {
        sleep(pause).await;
        match connect().await {
            Ok(connection) => return connection,
            Err(error) => tracing::debug!(%error, "the bus cannot be reached"),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The node, and what it tells, a word each; a beat where it tells nothing.
fn payloads(node: &str, news: &BTreeSet<News>) -> Vec<String> {
    let mut payloads = vec![node.to_owned()];
    for news in news {
        let word = match news {
            News::Events(tenant) => format!(" e{}", tenant.as_uuid().simple()),
            News::Standing(tenant) => format!(" s{}", tenant.as_uuid().simple()),
            News::Jobs => " j".to_owned(),
            News::Missed => " m".to_owned(),
        };
        match payloads.last_mut() {
            Some(last) if last.len() + word.len() <= PAYLOAD => last.push_str(&word),
            Some(_) | None => payloads.push(format!("{node}{word}")),
        }
    }
    payloads
}

/// One of the words; a newer node may have some that are not known yet.
fn read(word: &str) -> Option<News> {
    let (kind, of) = word.split_at_checked(1)?;
    let tenant = || Uuid::try_parse(of).ok().map(TenantId::from_uuid);
    match kind {
        "e" => tenant().map(News::Events),
        "s" => tenant().map(News::Standing),
        "j" => Some(News::Jobs),
        "m" => Some(News::Missed),
        _ => None,
    }
}

impl fmt::Debug for PostgresBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBus").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tenants_are_in_one_payload_and_none_is_too_long() {
        let news: BTreeSet<News> = (0..1000)
            .map(|number| TenantId::from_uuid(Uuid::from_u128(number)))
            .flat_map(|tenant| [News::Events(tenant), News::Standing(tenant)])
            .chain([News::Jobs, News::Missed])
            .collect();
        let payloads = payloads("0123456789abcdef", &news);
        assert!(payloads.len() < 10 && payloads.iter().all(|payload| payload.len() < 8000));
        let read: BTreeSet<News> = payloads
            .iter()
            .flat_map(|payload| payload.split(' ').skip(1))
            .filter_map(read)
            .collect();
        assert_eq!(read, news);
        assert_eq!(super::payloads("n", &BTreeSet::new()), ["n"], "a beat");
        assert!(["", "x", "eé", "e1"].into_iter().all(|word| super::read(word).is_none()));
    }
}
