//! A CRM behind its router, and requests to it. Every reply is held against the document.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use crm_conformance::TestClock;
use crm_core::calls::{Call, StartCall};
use crm_core::contacts::NewContact;
use crm_core::identity::NewUser;
use crm_core::memory::MemoryStore;
use crm_core::ports::Store;
use crm_core::privacy::{NewConsent, Purpose};
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount, Simulator};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Role, Session, TelephonyAccountId, Timestamp};
use crm_http::{Config, router};
use crm_twilio::{Twilio, TwilioOptions};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::host::{self, Host};

pub(crate) const PASSWORD: &str = "seven lanterns by the quay";

pub(crate) const PUBLIC_URL: &str = "https://crm.example";

pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(crm_http::document);

pub(crate) struct Server {
    pub(crate) crm: Crm,
    pub(crate) clock: TestClock,
    routes: Routes,
}

/// Where requests go.
enum Routes {
    InProcess(Router),
    Hosted(Box<Host>),
}

/// A tenant with what is needed to ask for it.
pub(crate) struct Acme {
    /// The operator's session.
    pub(crate) session: Session,
    /// The owner's access token.
    pub(crate) owner: String,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON, where the status is this.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem, where it has this status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.is(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        problem
    }
}

impl Server {
    /// In process, or by the host that the environment names.
    pub(crate) async fn new() -> Self {
        let Some(command) = host::command() else { return Server::over(MemoryStore::default()) };
        let (host, crm, clock) = Host::start(&command).await;
        Server { crm, clock, routes: Routes::Hosted(Box::new(host)) }
    }

    pub(crate) async fn over_sqlite() -> Self {
        Server::over(crm_sqlite::SqliteStore::open_in_memory().await.unwrap())
    }

    pub(crate) fn over(store: impl Store) -> Self {
        let start: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
        // Later at each look, so that what is sorted by time has an order.
        let clock = TestClock::at(start).stepping(1);
        let crm = Crm::builder(store)
            .clock(clock.clone())
            .telephony(Twilio::new(TwilioOptions::default()).unwrap())
            .telephony(Simulator::new(clock.clone()))
            .public_url(PUBLIC_URL)
            .build()
            .unwrap();
        let mut config = Config::default();
        config.public_url = Some(PUBLIC_URL.to_owned());
        config.per_caller = None;
        config.per_address = None;
        Server { crm: crm.clone(), clock, routes: Routes::InProcess(router(crm, config)) }
    }

    pub(crate) async fn acme(&self) -> Acme {
        self.tenant("Acme").await
    }

    pub(crate) async fn tenant(&self, name: &str) -> Acme {
        let system = self.crm.system("set up a test").unwrap();
        let new = NewTenant::new(name, "first@example.com", "DE".parse().unwrap());
        let (tenant, ..) = system.create_tenant(new).await.unwrap();
        let session = system.session(tenant.id).await.unwrap();
        let mut acme = Acme { session, owner: String::new() };
        acme.owner = self.person(&acme, Role::Owner).await;
        acme
    }

    /// The access token of a new user with this role.
    pub(crate) async fn person(&self, acme: &Acme, role: Role) -> String {
        let id = self.crm.new_request_id().unwrap();
        let email = format!("{role}-{}@example.com", id.as_str());
        let new = NewUser { email, full_name: None, role };
        let created = acme.session.users().create(new).await.unwrap();
        let accept = json!({ "invitation": created.invitation, "password": PASSWORD });
        let reply = self.post("/auth/invitations/accept", "", &accept).await.is(200);
        reply["access_token"].as_str().unwrap().to_owned()
    }

    /// Lets time pass, second by second, while the jobs are run.
    pub(crate) async fn pass(&self, seconds: u32) {
        let worker = self.crm.worker();
        worker.run_due().await.unwrap();
        for _ in 0..seconds {
            self.clock.advance_micros(1_000_000);
            worker.run_due().await.unwrap();
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, token, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.with("POST", path, token, &[], body).await
    }

    pub(crate) async fn post_empty(&self, path: &str, token: &str) -> Reply {
        self.send("POST", path, token, &[], Body::empty()).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.with("PATCH", path, token, &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send("DELETE", path, token, &[], Body::empty()).await
    }

    /// A request with a JSON body and these headers.
    pub(crate) async fn with(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let mut headers = headers.to_vec();
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, token, &headers, body.to_string().into()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body).unwrap();
        let response = match &self.routes {
            Routes::InProcess(router) => router.clone().oneshot(request).await.unwrap(),
            Routes::Hosted(host) => host.send(request).await,
        };
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let reply = Reply { status: parts.status, headers: parts.headers, bytes };
        hold_against_document(method, path, &reply);
        reply
    }

    pub(crate) fn router_in_words(&self) -> String {
        match &self.routes {
            Routes::InProcess(router) => format!("{router:?}"),
            Routes::Hosted(_) => panic!("the router of a host cannot be read"),
        }
    }
}

impl Acme {
    pub(crate) async fn contact(&self, name: &str) -> crm_core::contacts::Contact {
        let new = NewContact::named(name, "Test").email(format!("{name}@example.com"));
        self.session.contacts().create(new).await.unwrap()
    }
}

impl Acme {
    /// An account with the simulated carrier.
    pub(crate) async fn line(&self) -> TelephonyAccountId {
        let secrets =
            CarrierSecrets { auth_tokens: vec!["a token".into()], ..CarrierSecrets::default() };
        let new = NewTelephonyAccount {
            provider: "simulator".to_owned(),
            name: "line".to_owned(),
            secrets,
            numbers: vec!["+14255550100".to_owned()],
            connect_to: None,
            greeting: None,
            options: std::collections::BTreeMap::default(),
        };
        self.session.telephony().create(new).await.unwrap().id
    }

    /// A recorded call, begun; it takes an account.
    pub(crate) async fn call(&self) -> Call {
        let new = NewContact::named("Grace", "Caller").phone("+14255550123");
        let grace = self.session.contacts().create(new).await.unwrap().id;
        let consent = NewConsent { purpose: Purpose::Recording, granted: true, source: None };
        self.session.privacy().record_consent(grace, consent).await.unwrap();
        self.session.calls().start(StartCall::to(grace).recorded()).await.unwrap()
    }
}

/// One operation of the document.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) says: &'static Value,
}

pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, says) in item.as_object().unwrap() {
            if matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete") {
                operations.push(Operation { method, path, says });
            }
        }
    }
    operations
}

impl Operation {
    pub(crate) fn id(&self) -> &'static str {
        self.says["operationId"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_public(&self) -> bool {
        self.says["security"] == json!([{}])
    }

    pub(crate) fn permission(&self) -> Option<&'static str> {
        self.says["x-permission"].as_str()
    }

    pub(crate) fn parameters(&self, place: &str) -> Vec<&'static Value> {
        let all = self.says["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    /// The media type and the example of the body, where there is one.
    pub(crate) fn body(&self) -> Option<(&'static str, &'static Value)> {
        let content = self.says["requestBody"]["content"].as_object()?;
        let (media, body) = content.iter().next()?;
        Some((media, &body["example"]))
    }

    fn is_at(&self, method: &str, path: &str) -> bool {
        let path = path.split('?').next().unwrap();
        self.method.eq_ignore_ascii_case(method)
            && self.path.split('/').count() == path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(|(a, b)| a == b || a.starts_with('{'))
    }
}

/// The schema with the components that it refers to.
pub(crate) fn validator(schema: &Value) -> jsonschema::Validator {
    let mut whole = schema.clone();
    whole["components"] = DOCUMENT["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
}

pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> =
        LazyLock::new(Mutex::default);
    let key = schema.to_string();
    let known = KNOWN.lock().unwrap().get(&key).cloned();
    let validator = known.unwrap_or_else(|| {
        let new = Arc::new(validator(schema));
        KNOWN.lock().unwrap().insert(key, Arc::clone(&new));
        new
    });
    let faults = validator.iter_errors(value);
    faults.map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

fn hold_against_document(method: &str, path: &str, reply: &Reply) {
    let fitting = operations().into_iter().filter(|operation| operation.is_at(method, path));
    // Of `/contacts/{id}` and `/contacts/search` the one in plain words is meant.
    let Some(operation) = fitting.min_by_key(|operation| operation.path.matches('{').count())
    else {
        return;
    };
    let status = reply.status.as_u16().to_string();
    let documented = &operation.says["responses"][&status];
    assert!(
        documented.is_object(),
        "{method} {path}: {status} is not documented: {}",
        reply.text()
    );
    let media = reply.header("content-type").split(';').next().unwrap().to_owned();
    if reply.bytes.is_empty() {
        assert!(documented["content"].is_null(), "{method} {path}: {status} has no body");
    } else {
        let content = &documented["content"][&media];
        assert!(content.is_object(), "{method} {path}: {status} with {media} is not documented");
        if media.ends_with("json") {
            let faults = faults(&content["schema"], &reply.json());
            assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{}", reply.text());
        }
    }
}
