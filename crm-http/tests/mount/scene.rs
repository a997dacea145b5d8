//! A mounted CRM, and requests to it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use crm_core::contacts::{Contact, NewContact};
use crm_core::identity::{Arrival, NewUser};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Role, Session};
use crm_http::{Config, Mount};
use crm_sqlite::SqliteStore;
use serde_json::{Value, json};

/// How long a test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const PEER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4711);

pub(crate) struct Scene {
    pub(crate) crm: Crm,
    pub(crate) mount: Mount,
    /// The operator's session.
    pub(crate) session: Session,
    /// An access token of an owner.
    pub(crate) token: String,
}

pub(crate) async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, awaited).await.expect("it comes in time")
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        Scene::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Scene {
        let store = SqliteStore::open_in_memory().await.unwrap();
        let crm = Crm::builder(store).build().unwrap();
        let mut config = Config::default();
        change(&mut config);
        let system = crm.system("set up a test").unwrap();
        let new = NewTenant::new("acme", "first@example.com", "DE".parse().unwrap());
        let (tenant, ..) = system.create_tenant(new).await.unwrap();
        let session = system.session(tenant.id).await.unwrap();
        let new =
            NewUser { email: "owner@example.com".to_owned(), full_name: None, role: Role::Owner };
        let created = session.users().create(new).await.unwrap();
        let accept = serde_json::from_value(json!({
            "invitation": created.invitation, "password": "seven lanterns by the quay",
        }));
        let request_id = crm.new_request_id().unwrap();
        let identity = crm.identity(Arrival { request_id, address: None, user_agent: None });
        let tokens = identity.accept_invitation(accept.unwrap()).await.unwrap().tokens;
        let token = tokens.access_token.reveal().to_owned();
        Scene { mount: Mount::new(crm.clone(), config), crm, session, token }
    }

    pub(crate) async fn contact(&self, name: &str) -> Contact {
        self.session.contacts().create(NewContact::named(name, "Test")).await.unwrap()
    }

    /// A request of the owner.
    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let bearer = format!("Bearer {}", self.token);
        Request::builder().method(method).uri(path).header("authorization", bearer)
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.call("", self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn call(&self, prefix: &str, request: Request<Body>) -> Response<Body> {
        soon(self.mount.call(prefix, Some(PEER), request)).await
    }

    /// A request that makes a contact.
    pub(crate) fn create(&self, path: &str, name: &str) -> Request<Body> {
        let body = json!({ "first_name": name }).to_string();
        let request = self.request("POST", path).header("content-type", "application/json");
        request.body(body.into()).unwrap()
    }
}

pub(crate) async fn text(response: Response<Body>) -> String {
    let bytes = soon(to_bytes(response.into_body(), usize::MAX)).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The JSON, where the status is this.
#[track_caller]
pub(crate) fn is(
    response: Response<Body>,
    status: u16,
) -> impl Future<Output = (HeaderMap, Value)> {
    let (found, headers) = (response.status().as_u16(), response.headers().clone());
    async move {
        let text = text(response).await;
        assert_eq!(found, status, "{text}");
        (headers, serde_json::from_str(&text).unwrap_or_default())
    }
}
