//! The servers, each in a process of its own: this program in another role.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use crm_core::activities::NewActivity;
use crm_core::contacts::NewContact;
use crm_core::identity::{AcceptInvitation, Arrival, NewUser, TokenAlgorithm, TokenKey, TokenKeys};
use crm_core::ports::Randomness;
use crm_core::tenancy::NewTenant;
use crm_core::{ContactId, Crm, CrmBuilder, KeyRing, Role as Rank, Session};
use crm_http::Config;
use crm_postgres::{Installation, PostgresStore};
use crm_redis::Redis;
use crm_sqlite::SqliteStore;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::clients::now;

const ROLE: &str = "CRM_BENCH_ROLE";
const DATABASE: &str = "crm_bench_realtime";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    Crm,
    /// axum and Redis, and nothing else.
    Bare,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Crm => "the CRM",
            Peer::Bare => "bare axum and Redis",
        })
    }
}

/// What a process of servers is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    peer: Peer,
    tenants: usize,
    /// Of the database, or the path of a file.
    store: String,
    redis: Option<String>,
    /// Of what nodes share in Redis.
    prefix: String,
    /// Whether the tenants are there already.
    joins: bool,
}

pub(crate) fn role() -> Option<Role> {
    let role = std::env::var(ROLE).ok()?;
    Some(serde_json::from_str(&role).unwrap())
}

/// A process that serves.
pub(crate) struct Server {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    tokens: Vec<String>,
    role: Role,
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    pub(crate) async fn start(peer: Peer, tenants: usize) -> Server {
        let admin = std::env::var("CRM_BENCH_DATABASE_URL").ok();
        let (store, folder) = match admin {
            Some(url) => (database(&url).await, None),
            None => {
                let folder = tempfile::tempdir().unwrap();
                (folder.path().join("crm.db").display().to_string(), Some(folder))
            }
        };
        let prefix = format!("bench{}", now());
        let redis = std::env::var("CRM_BENCH_REDIS_URL").ok();
        Server::spawn(Role { peer, tenants, store, redis, prefix, joins: false }, folder)
    }

    /// Another node of the same.
    pub(crate) async fn second(&self) -> Server {
        let mut second = Server::spawn(Role { joins: true, ..self.role.clone() }, None);
        second.tokens.clone_from(&self.tokens);
        second
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.role.store.starts_with("postgres")
    }

    fn spawn(role: Role, folder: Option<tempfile::TempDir>) -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, serde_json::to_string(&role).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, mut output) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let (address, tokens): (SocketAddr, Vec<String>) = serde_json::from_str(&line).unwrap();
        let pipes = Mutex::new((input, output));
        Server { peer: role.peer, address, tokens, role, child, pipes, _folder: folder }
    }

    pub(crate) fn token(&self, tenant: usize) -> &str {
        self.tokens.get(tenant).map_or("", String::as_str)
    }

    /// Bytes of memory that the process has.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Lets so many events a second happen in each tenant, and says how many there were in all.
    pub(crate) async fn publish(&self, rate: u32, time: Duration) -> usize {
        tokio::task::block_in_place(|| {
            let (input, output) = &mut *self.pipes.lock().unwrap();
            writeln!(input, "{rate} {}", time.as_millis()).unwrap();
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        })
    }

    pub(crate) async fn ticket(&self) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /realtime/tickets HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
             Content-Length: 0\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token(0)
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (_, body) = reply.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["ticket"].as_str().unwrap().to_owned()
    }
}

/// A new database on the server of this superuser, for the application's role.
async fn database(admin: &str) -> String {
    let (server, _) = admin.rsplit_once('/').unwrap();
    let mut connection = sqlx::PgConnection::connect(admin).await.unwrap();
    for statement in [
        "drop database if exists crm_bench_realtime with (force)",
        "create database crm_bench_realtime",
    ] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    Installation::default().run(&format!("{server}/{DATABASE}")).await.unwrap();
    let (_, host) = server.rsplit_once('@').unwrap();
    format!("postgres://crm_app@{host}/{DATABASE}")
}

impl Role {
    pub(crate) async fn run(self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let (publisher, tokens, routes) = match self.peer {
            Peer::Crm => self.crm().await,
            Peer::Bare => self.bare().await,
        };
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        println!("{}", serde_json::to_string(&(address, tokens)).unwrap());
        let publisher = Arc::new(publisher);
        loop {
            let line = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).unwrap();
                line
            });
            let line = line.await.unwrap();
            let Some((rate, millis)) = line.trim().split_once(' ') else { return };
            let time = Duration::from_millis(millis.parse().unwrap());
            println!("{}", publish(&publisher, rate.parse().unwrap(), time, self.tenants).await);
        }
    }

    async fn crm(&self) -> (Publisher, Vec<String>, Router) {
        let builder = if self.store.starts_with("postgres") {
            Crm::builder(PostgresStore::connect(&self.store).await.unwrap())
        } else {
            Crm::builder(SqliteStore::open(&self.store).await.unwrap())
        };
        let crm = self.with_redis(builder).await.build().unwrap();
        let relay = crm.relay();
        tokio::spawn(async move { relay.run(tokio::time::sleep, std::future::pending()).await });
        let (mut contacts, mut tokens) = (Vec::new(), Vec::new());
        if !self.joins {
            for number in 0..self.tenants {
                let (contact, token) = tenant(&crm, number).await;
                contacts.push(contact);
                tokens.push(token);
            }
        }
        let mut config = Config::default();
        config.per_address = None;
        config.per_caller = None;
        (Publisher::Crm(contacts), tokens, crm_http::router(crm, config))
    }

    async fn with_redis(&self, builder: CrmBuilder) -> CrmBuilder {
        let ring = KeyRing::new([("bench".to_owned(), [7; 32])]).unwrap();
        let key = TokenKey::generate(TokenAlgorithm::EdDsa, &Sevens).unwrap();
        let keys = TokenKeys::new(key).lifetime(Duration::from_secs(3600));
        let builder = builder.key_ring(ring).token_keys(keys);
        let Some(url) = &self.redis else { return builder };
        let options = crm_redis::RedisOptions { prefix: self.prefix.clone(), ..Default::default() };
        let redis = Redis::connect_with(url, options).await.unwrap();
        builder.bus(redis.bus()).presence(redis.presence()).limits(redis.limits())
    }

    async fn bare(&self) -> (Publisher, Vec<String>, Router) {
        let url = self.redis.clone().expect("CRM_BENCH_REDIS_URL");
        let client = redis::Client::open(url).unwrap();
        let channels: Arc<Vec<_>> = Arc::new(
            (0..self.tenants).map(|_| broadcast::Sender::<Utf8Bytes>::new(1024)).collect(),
        );
        let (sink, mut stream) = client.get_async_pubsub().await.unwrap().split();
        let mut sink = sink;
        sink.psubscribe(format!("{}:*", self.prefix)).await.unwrap();
        let to = Arc::clone(&channels);
        tokio::spawn(async move {
            while let Some(message) = stream.next().await {
                let tenant: usize =
                    message.get_channel_name().rsplit(':').next().unwrap().parse().unwrap();
                let text: String = message.get_payload().unwrap();
                to[tenant].send(text.into()).ok();
            }
        });
        let routes =
            Router::new().route("/ws", axum::routing::get(bare_socket)).with_state(channels);
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        (Publisher::Bare(connection, self.prefix.clone()), Vec::new(), routes)
    }
}

#[derive(Deserialize)]
struct Of {
    tenant: usize,
}

async fn bare_socket(
    State(channels): State<Arc<Vec<broadcast::Sender<Utf8Bytes>>>>,
    Query(of): Query<Of>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let mut channel = channels[of.tenant].subscribe();
    let upgrade = upgrade.read_buffer_size(1024).write_buffer_size(16 * 1024);
    upgrade.on_upgrade(async move |mut socket| {
        loop {
            tokio::select! {
                text = channel.recv() => {
                    if socket.send(Message::Text(text.unwrap())).await.is_err() {
                        return;
                    }
                }
                said = socket.recv() => if said.is_none_or(|said| said.is_err()) {
                    return;
                },
            }
        }
    })
}

/// Something that makes events.
enum Publisher {
    Crm(Vec<(Session, ContactId)>),
    Bare(redis::aio::MultiplexedConnection, String),
}

async fn publish(of: &Arc<Publisher>, rate: u32, time: Duration, tenants: usize) -> usize {
    let events = (f64::from(rate) * time.as_secs_f64()) as usize;
    let mut ticks = tokio::time::interval(time / u32::try_from(events * tenants).unwrap().max(1));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..events * tenants {
        ticks.tick().await;
        let of = Arc::clone(of);
        tasks.spawn(async move { one(&of, number % tenants).await });
    }
    tasks.join_all().await;
    events * tenants
}

async fn one(of: &Publisher, tenant: usize) {
    match of {
        Publisher::Crm(sessions) => {
            let (session, contact) = &sessions[tenant];
            let note = NewActivity::note(*contact, now().to_string());
            session.activities().create(note).await.unwrap();
        }
        Publisher::Bare(connection, prefix) => {
            // As long as the CRM's frame.
            let text = format!("{{\"body\":\"{}\",\"more\":\"{}\"}}", now(), "x".repeat(700));
            let mut connection = connection.clone();
            let channel = format!("{prefix}:{tenant}");
            let publish = redis::cmd("PUBLISH").arg(channel).arg(text).to_owned();
            publish.exec_async(&mut connection).await.unwrap();
        }
    }
}

/// A tenant with a contact, and the token of somebody who follows.
async fn tenant(crm: &Crm, number: usize) -> ((Session, ContactId), String) {
    let system = crm.system("fill a bench").unwrap();
    let new =
        NewTenant::new(format!("tenant-{number}"), "first@example.com", "DE".parse().unwrap());
    let (tenant, ..) = system.create_tenant(new).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let contact = session.contacts().create(NewContact::named("Bench", "Mark")).await.unwrap().id;
    let email = format!("follower-{number}@example.com");
    let new = NewUser { email, full_name: None, role: Rank::Viewer };
    let created = session.users().create(new).await.unwrap();
    let accept: AcceptInvitation = serde_json::from_value(serde_json::json!({
        "invitation": created.invitation, "password": "seven lanterns by the quay",
    }))
    .unwrap();
    let arrival =
        Arrival { request_id: crm.new_request_id().unwrap(), address: None, user_agent: None };
    let signed_in = crm.identity(arrival).accept_invitation(accept).await.unwrap();
    ((session, contact), signed_in.tokens.access_token.reveal().to_owned())
}

struct Sevens;

impl Randomness for Sevens {
    fn fill(&self, bytes: &mut [u8]) -> crm_core::Result<()> {
        bytes.fill(7);
        Ok(())
    }
}
