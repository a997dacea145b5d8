//! A server on a port of its own, and clients of it.

use std::net::SocketAddr;
use std::time::Duration;

use crm_conformance::TestClock;
use crm_core::contacts::{Contact, NewContact};
use crm_core::identity::{Arrival, NewUser, TokenAlgorithm, TokenKey, TokenKeys, Tokens};
use crm_core::memory::MemoryStore;
use crm_core::ports::Randomness;
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, KeyRing, Role, Session};
use crm_http::{Closing, Config, router};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long a test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) crm: Crm,
    pub(crate) address: SocketAddr,
    pub(crate) closing: Closing,
}

pub(crate) struct Scene {
    pub(crate) clock: TestClock,
    pub(crate) store: MemoryStore,
    pub(crate) node: Node,
    /// The operator's session.
    pub(crate) session: Session,
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        Scene::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Scene {
        let clock = TestClock::at("2026-03-01T09:30:00Z".parse().unwrap());
        let store = MemoryStore::default();
        let node = node(&store, &clock, change).await;
        let session = tenant(&node.crm, "acme").await;
        Scene { clock, store, node, session }
    }

    /// Another node over the same store, which hears of the first by looking.
    pub(crate) async fn other_node(&self) -> Node {
        let node = node(&self.store, &self.clock, |_| {}).await;
        let relay = node.crm.relay();
        tokio::spawn(async move {
            relay.run(tokio::time::sleep, std::future::pending()).await;
        });
        node
    }

    pub(crate) async fn contact(&self, name: &str) -> Contact {
        self.session.contacts().create(NewContact::named(name, "Test")).await.unwrap()
    }

    pub(crate) async fn person(&self, role: Role) -> Tokens {
        person(&self.node.crm, &self.session, role).await
    }
}

pub(crate) async fn tenant(crm: &Crm, name: &str) -> Session {
    let system = crm.system("set up a test").unwrap();
    let new = NewTenant::new(name, "first@example.com", "DE".parse().unwrap());
    let (tenant, ..) = system.create_tenant(new).await.unwrap();
    system.session(tenant.id).await.unwrap()
}

/// The same on every node.
fn keys() -> TokenKeys {
    struct Sevens;
    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) -> crm_core::Result<()> {
            bytes.fill(7);
            Ok(())
        }
    }
    TokenKeys::new(TokenKey::generate(TokenAlgorithm::EdDsa, &Sevens).unwrap())
}

async fn node(store: &MemoryStore, clock: &TestClock, change: impl FnOnce(&mut Config)) -> Node {
    let ring = KeyRing::new([("test".to_owned(), [7; 32])]).unwrap();
    let crm = Crm::builder(store.clone())
        .clock(clock.clone())
        .key_ring(ring)
        .token_keys(keys())
        .build()
        .unwrap();
    let mut config = Config::default();
    config.per_caller = None;
    config.per_address = None;
    change(&mut config);
    let closing = config.closing.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = router(crm.clone(), config);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Node { crm, address, closing }
}

pub(crate) fn arrival(crm: &Crm) -> Arrival {
    Arrival { request_id: crm.new_request_id().unwrap(), address: None, user_agent: None }
}

/// A new user with this role, who has signed in.
pub(crate) async fn person(crm: &Crm, session: &Session, role: Role) -> Tokens {
    let email = format!("{role}-{}@example.com", crm.new_request_id().unwrap().as_str());
    let new = NewUser { email, full_name: None, role };
    let created = session.users().create(new).await.unwrap();
    let accept = serde_json::from_value(json!({
        "invitation": created.invitation, "password": "seven lanterns by the quay",
    }));
    crm.identity(arrival(crm)).accept_invitation(accept.unwrap()).await.unwrap().tokens
}

pub(crate) async fn ticket(node: &Node, token: &str) -> String {
    let session = node.crm.identity(arrival(&node.crm)).authenticate(token).await.unwrap();
    node.crm.admission_ticket(&session).unwrap().reveal().to_owned()
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The position that the server has told.
    pub(crate) position: String,
}

/// Tries to connect with these headers.
pub(crate) async fn connect(
    node: &Node,
    query: &str,
    headers: &[(&'static str, &str)],
) -> Result<Client, tungstenite::Error> {
    let mut request = format!("ws://{}/ws{query}", node.address).into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let (socket, _) = tokio_tungstenite::connect_async(request).await?;
    let mut client = Client { socket, position: String::new() };
    let hello = client.next().await;
    assert_eq!(hello["type"], "hello", "{hello}");
    client.position = hello["position"].as_str().unwrap().to_owned();
    Ok(client)
}

/// The status and code that a connection is refused with.
pub(crate) async fn refused(
    node: &Node,
    query: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String) {
    match connect(node, query, headers).await {
        Err(tungstenite::Error::Http(reply)) => {
            let status = reply.status().as_u16();
            let body = reply.body().as_deref().unwrap_or_default();
            let problem: Value = serde_json::from_slice(body).unwrap();
            (status, problem["code"].as_str().unwrap().to_owned())
        }
        Ok(_) => panic!("let in"),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    pub(crate) async fn of(node: &Node, token: &str) -> Client {
        let bearer = format!("Bearer {token}");
        connect(node, "", &[("authorization", &bearer)]).await.unwrap()
    }

    /// One who follows all of the tenant from now on.
    pub(crate) async fn following(node: &Node, token: &str) -> Client {
        let mut client = Client::of(node, token).await;
        client.say(&json!({ "type": "subscribe", "topics": ["tenant"] })).await;
        // What was said is answered in its order, so the server has heard it.
        client.say(&json!({ "type": "ping" })).await;
        assert_eq!(client.next().await["type"], "pong");
        client
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn message(&mut self) -> Option<Message> {
        loop {
            let next = tokio::time::timeout(SOON, self.socket.next()).await;
            match next.expect("something is said in time") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next event; its position is remembered.
    pub(crate) async fn event(&mut self) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], "event", "{frame}");
        self.position = frame["position"].as_str().unwrap().to_owned();
        frame["event"].clone()
    }

    /// The names of the contacts whose making is told next.
    pub(crate) async fn contacts(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            let event = self.event().await;
            if event["name"] == "contact.created.v1" {
                names.push(event["data"]["contact"]["first_name"].as_str().unwrap().to_owned());
            }
        }
        names
    }

    /// What the server says at the end, whatever comes before.
    pub(crate) async fn end(&mut self) -> Option<(u16, String)> {
        loop {
            if let Message::Close(frame) = self.message().await? {
                return frame
                    .map(|CloseFrame { code, reason }| (code.into(), reason.as_str().to_owned()));
            }
        }
    }
}
