//! Nodes over one database and one Redis.

use std::sync::{Arc, Mutex};

use crm_core::events::EventPosition;
use crm_core::{Crm, Session};
use crm_postgres::PostgresStore;
use serde_json::json;

use crate::database::ServerDatabase;
use crate::process::Server;
use crate::redis::Redis;
use crate::shell::Shell;

pub(crate) struct Deployment {
    pub(crate) redis: Redis,
    nodes: Vec<Option<Server>>,
    /// Where those are that live.
    pub(crate) addresses: Addresses,
    pub(crate) token: String,
    url: String,
    shell: Shell,
    _database: ServerDatabase,
}

pub(crate) type Addresses = Arc<Mutex<Vec<String>>>;

impl Deployment {
    pub(crate) fn start(nodes: usize) -> Deployment {
        let shell = Shell::new();
        let database = ServerDatabase::create();
        shell.ok(&["migrate", "--database", &database.admin_url()]);
        let url = database.url_as("crm_app");
        let mut deployment = Deployment {
            redis: Redis::start(),
            nodes: Vec::new(),
            addresses: Addresses::default(),
            token: String::new(),
            url,
            shell,
            _database: database,
        };
        deployment.nodes = (0..nodes).map(|_| Some(deployment.node())).collect();
        deployment.tell();
        deployment.token = deployment.nodes[0].as_ref().unwrap().token();
        deployment
    }

    fn node(&self) -> Server {
        let redis = self.redis.url();
        let options = [
            ["--database", &self.url],
            ["--redis", &redis],
            ["--rate-limit", "off"],
            ["--rate-limit-address", "off"],
            ["--token-lifetime", "1h"],
            ["--registration", "open"],
            ["--log-level", "warn"],
        ];
        Server::start(&self.shell, options.as_flattened())
    }

    fn tell(&self) {
        let addresses = self.nodes.iter().flatten().map(|node| node.address.clone());
        *self.addresses.lock().unwrap() = addresses.collect();
    }

    /// Ends a node at once, as a crash does.
    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(node) = self.nodes[node].take() {
            node.signal("KILL");
        }
        self.tell();
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node] = Some(self.node());
        self.tell();
    }

    pub(crate) fn address(&self, node: usize) -> String {
        self.nodes[node].as_ref().unwrap().address.clone()
    }

    pub(crate) fn metrics(&self, node: usize) -> String {
        self.nodes[node].as_ref().unwrap().metrics.clone()
    }

    /// The tenant, as the operator sees it in the database.
    pub(crate) async fn session(&self) -> Session {
        let store = PostgresStore::connect(&self.url).await.unwrap();
        let crm = Crm::builder(store).build().unwrap();
        let system = crm.system("look at what a test has done").unwrap();
        let tenants = system.tenants(None, 10).await.unwrap();
        system.session(tenants[0].id).await.unwrap()
    }
}

/// The ids of the tenant's events, with their positions, in their order.
pub(crate) async fn table(session: &Session) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut position = EventPosition::START;
    loop {
        let page = session.events().after(position, 1000).await.unwrap();
        let Some(last) = page.last() else { return all };
        position = last.position;
        all.extend(page.iter().map(|recorded| {
            (format!("{:016x}", recorded.position.0), recorded.event.id.to_string())
        }));
    }
}

/// Makes a contact over HTTP; whether that is known to have worked.
pub(crate) async fn write(address: &str, token: &str, name: &str) -> bool {
    let body = json!({ "first_name": name, "last_name": "Test" }).to_string();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let bytes = crate::http::request("POST", "/contacts", &headers, &body);
    let sent = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
        stream.write_all(bytes.as_bytes()).await.ok()?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.ok()?;
        Some(status.ends_with(b"201"))
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), sent).await.ok().flatten()
        == Some(true)
}
