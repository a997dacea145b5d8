//! One connection that is made again when it is lost.
//!
//! Calls take the connection that is there, or fail at once: none of them waits for a new one.

use std::sync::Arc;
use std::time::Duration;

use crm_core::{Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, TlsCertificates,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a command may take.
const ANSWER: Duration = Duration::from_millis(500);
/// How long a connection that nobody waits for may be silent.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a connection is asked whether it is alive.
const PING: Duration = Duration::from_secs(1);
/// Between two attempts to connect, before chance makes it up to twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// How to get in.
#[derive(Clone)]
pub(crate) struct Door {
    client: Client,
}

impl Door {
    pub(crate) fn new(url: &str, roots: Option<Vec<u8>>) -> Result<Self> {
        // The URL holds a password: it is in no message.
        let wrong =
            |message: &'static str| Error::invalid_field("redis_url", "invalid_url", message);
        let syntax = "must be redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE], or rediss://";
        let info: ConnectionInfo = url.into_connection_info().map_err(|_| wrong(syntax))?;
        let secure = match info.addr() {
            ConnectionAddr::Tcp(..) => false,
            ConnectionAddr::TcpTls { insecure, .. } if !insecure => true,
            ConnectionAddr::TcpTls { .. } => {
                return Err(wrong("cannot leave the server's certificate unchecked"));
            }
            ConnectionAddr::Unix(_) | _ => return Err(wrong(syntax)),
        };
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings);
        if secure {
            choose_cryptography();
        }
        let client = match roots {
            Some(roots) if secure => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: Some(roots) },
            ),
            _ => Client::open(info),
        };
        let unusable = "cannot be used: the URL or the certificates are wrong";
        Ok(Door { client: client.map_err(|error| wrong(unusable).with_source(error))? })
    }

    pub(crate) async fn check(&self) -> Result<()> {
        let answer = async {
            let mut connection = self.open(|_| {}, ANSWER).await?;
            redis::cmd("PING").exec_async(&mut connection).await
        };
        answer.await.map_err(unavailable)
    }

    async fn open(
        &self,
        heard: impl Fn(PushInfo) + Send + Sync + 'static,
        answer: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(answer))
            .set_push_sender(move |push| {
                heard(push);
                Ok::<_, std::convert::Infallible>(())
            });
        let opening = self.client.get_multiplexed_async_connection_with_config(&config);
        in_time(CONNECT, opening).await
    }
}

/// rustls panics where a program has compiled two providers and chosen none.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails where another thread was first, which is as good.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
}

/// What a link is for besides commands.
pub(crate) trait Listening: Send + Sync + 'static {
    /// Where to listen.
    fn channel(&self) -> &str;
    /// Something was published there.
    fn heard(&self, payload: &[u8]);
    /// From now on everything is heard; before, it may not have been.
    fn listens(&self);
}

/// A connection that is made again when it is lost. It ends when dropped.
pub(crate) struct Link {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    state: watch::Sender<State>,
}

#[derive(Clone, Default)]
struct State {
    /// How many attempts have failed or ended.
    attempts: u64,
    /// The connection of the attempt that goes on.
    connection: Option<MultiplexedConnection>,
}

impl Link {
    /// A link for commands.
    pub(crate) fn commands(runtime: &Handle, door: Door) -> Self {
        Link::new(runtime, door, None)
    }

    /// A link that listens on a channel.
    pub(crate) fn listening(runtime: &Handle, door: Door, listening: Arc<dyn Listening>) -> Self {
        Link::new(runtime, door, Some(listening))
    }

    fn new(runtime: &Handle, door: Door, listening: Option<Arc<dyn Listening>>) -> Self {
        let shared = Arc::new(Shared { state: watch::Sender::default() });
        let keeper = runtime.spawn(keep(Arc::clone(&shared), door, listening));
        Link { shared, keeper }
    }

    /// Returns when the first attempt to connect has ended, well or not.
    pub(crate) async fn first_attempt(&self) {
        let ended = |state: &State| state.attempts > 0 || state.connection.is_some();
        drop(self.shared.state.subscribe().wait_for(ended).await);
    }

    /// Returns when there is a connection.
    pub(crate) async fn connected(&self) {
        drop(self.shared.state.subscribe().wait_for(|state| state.connection.is_some()).await);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.shared.state.borrow().connection.is_some()
    }

    /// The answer to a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let (attempt, mut connection) = self.connection()?;
        self.judged(attempt, in_time(ANSWER, command.query_async(&mut connection)).await)
    }

    /// The answer to several commands, sent at once.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        let (attempt, mut connection) = self.connection()?;
        self.judged(attempt, in_time(ANSWER, commands.query_async(&mut connection)).await)
    }

    /// The answer of a script.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let (attempt, mut connection) = self.connection()?;
        self.judged(attempt, in_time(ANSWER, script.invoke_async(&mut connection)).await)
    }

    fn connection(&self) -> Result<(u64, MultiplexedConnection)> {
        let state = self.shared.state.borrow();
        match &state.connection {
            Some(connection) => Ok((state.attempts, connection.clone())),
            None => Err(Error::unavailable("Redis is away", "there is no connection")),
        }
    }

    fn judged<T>(&self, attempt: u64, answer: RedisResult<T>) -> Result<T> {
        answer.map_err(|error| {
            if ends_connection(&error) {
                self.shared.lost(attempt);
            }
            unavailable(error)
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
        // What is still cloned from it must not keep the connection open.
        self.shared.state.send_modify(|state| state.connection = None);
    }
}

impl Shared {
    /// The connection of this attempt is no longer good.
    fn lost(&self, attempt: u64) {
        self.state.send_if_modified(|state| {
            let current = state.attempts == attempt && state.connection.is_some();
            if current {
                *state = State { attempts: attempt + 1, connection: None };
            }
            current
        });
    }

    fn failed(&self) {
        self.state.send_modify(|state| state.attempts += 1);
    }
}

async fn keep(shared: Arc<Shared>, door: Door, listening: Option<Arc<dyn Listening>>) {
    let answer = if listening.is_some() { SILENCE } else { ANSWER };
    let mut told_away = false;
    loop {
        let attempt = shared.state.borrow().attempts;
        match attach(&shared, &door, attempt, listening.clone(), answer).await {
            Ok(connection) => {
                tracing::info!(listening = listening.is_some(), "connected to Redis");
                told_away = false;
                shared.state.send_modify(|state| state.connection = Some(connection.clone()));
                if let Some(listening) = &listening {
                    listening.listens();
                }
                let error = until_lost(&shared, attempt, connection, answer).await;
                tracing::warn!(error, listening = listening.is_some(), "lost Redis");
            }
            Err(error) => {
                if !told_away {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Redis is away");
                    told_away = true;
                }
                shared.failed();
            }
        }
        time::sleep(some_pause()).await;
    }
}

async fn attach(
    shared: &Arc<Shared>,
    door: &Door,
    attempt: u64,
    listening: Option<Arc<dyn Listening>>,
    answer: Duration,
) -> RedisResult<MultiplexedConnection> {
    let (weak, hearing) = (Arc::downgrade(shared), listening.clone());
    let heard = move |push: PushInfo| {
        if push.kind == PushKind::Disconnection {
            if let Some(shared) = weak.upgrade() {
                shared.lost(attempt);
            }
        } else if let (Some(listening), Some(message)) =
            (&hearing, redis::Msg::from_push_info(push))
        {
            listening.heard(message.get_payload_bytes());
        }
    };
    let mut connection = door.open(heard, answer).await?;
    if let Some(listening) = listening {
        in_time(answer, connection.subscribe(listening.channel())).await?;
    }
    Ok(connection)
}

/// Why the connection ended.
async fn until_lost(
    shared: &Shared,
    attempt: u64,
    mut connection: MultiplexedConnection,
    answer: Duration,
) -> String {
    let mut state = shared.state.subscribe();
    loop {
        let lost = state.wait_for(|state| state.attempts != attempt);
        if time::timeout(PING, lost).await.is_ok() {
            return "the connection broke, or did not answer".to_owned();
        }
        let ping = redis::cmd("PING");
        if let Err(error) = in_time(answer, ping.exec_async(&mut connection)).await {
            shared.lost(attempt);
            return error.to_string();
        }
    }
}

/// All nodes lose a Redis at once; they should not come back at once.
fn some_pause() -> Duration {
    let chance = crate::random().map_or(0, u32::from_le_bytes);
    PAUSE + PAUSE.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// A server that may only be read from is not the one to write to any more: the next attempt may find it.
fn ends_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// Whatever is wrong with Redis, its callers do without it.
fn unavailable(error: RedisError) -> Error {
    Error::unavailable("Redis does not do what it was asked", error)
}
