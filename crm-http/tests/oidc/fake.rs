//! A provider of identities that can be told to do wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use crm_conformance::TestClock;
use crm_core::ports::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const CLIENT: &str = "crm";
pub(crate) const CLIENT_SECRET: &str = "a secret of thirty-two characters";

type Signer = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;
type Alter<T> = Box<dyn Fn(&mut T) + Send>;

/// What the provider does; as it is made, all is well.
pub(crate) struct Plan {
    /// Whom it vouches for, in the id token.
    pub(crate) person: Value,
    /// What it says of them where it is asked with the access token.
    pub(crate) user_info: Value,
    pub(crate) discovery: Alter<Value>,
    pub(crate) claims: Alter<Value>,
    pub(crate) header: Alter<Value>,
    pub(crate) sign: Signer,
    /// The keys it publishes.
    pub(crate) keys: Vec<Value>,
    /// `iss` of the answer that the browser carries.
    pub(crate) iss: Option<String>,
    pub(crate) token_answer: TokenAnswer,
    /// Whether codes count once, for who has the verifier.
    pub(crate) codes_are_checked: bool,
    /// What was asked of it, in this order.
    pub(crate) asked: Vec<&'static str>,
    /// How the client has said who it is.
    pub(crate) authorization: Option<String>,
    pub(crate) token_form: HashMap<String, String>,
    codes: HashMap<String, Begun>,
}

#[derive(Clone, Copy)]
pub(crate) enum TokenAnswer {
    Tokens,
    ElsewhereIsBetter,
    Endless,
    Never,
    Broken,
    Refusal,
}

#[derive(Clone)]
struct Begun {
    nonce: Option<String>,
    challenge: String,
}

pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) plan: Arc<Mutex<Plan>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    url: String,
    plan: Arc<Mutex<Plan>>,
    clock: TestClock,
}

impl Fake {
    pub(crate) async fn start(clock: TestClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::new("first");
        let plan = Plan {
            person: json!({
                "sub": "4711", "email": "ada@acme.example", "email_verified": true, "name": "Ada",
            }),
            user_info: json!({}),
            discovery: Box::new(|_| {}),
            claims: Box::new(|_| {}),
            header: Box::new(|_| {}),
            keys: vec![key.public()],
            sign: key.signer(),
            iss: Some(url.clone()),
            token_answer: TokenAnswer::Tokens,
            codes_are_checked: true,
            asked: Vec::new(),
            authorization: None,
            token_form: HashMap::new(),
            codes: HashMap::new(),
        };
        let plan = Arc::new(Mutex::new(plan));
        let shared = Shared { url: url.clone(), plan: Arc::clone(&plan), clock };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/elsewhere", post(elsewhere).get(elsewhere))
            .route("/me", get(user_info))
            .with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Fake { url, plan, server }
    }

    /// Changes what it does.
    pub(crate) fn now(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
    }

    pub(crate) fn asked(&self, what: &str) -> usize {
        self.plan.lock().unwrap().asked.iter().filter(|own| **own == what).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A key of a provider's.
pub(crate) struct Key {
    kid: &'static str,
    pair: Arc<Ed25519KeyPair>,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        Key { kid, pair: Arc::new(Ed25519KeyPair::generate().unwrap()) }
    }

    pub(crate) fn public(&self) -> Value {
        let x = BASE64.encode(self.pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": x })
    }

    pub(crate) fn signer(&self) -> Signer {
        let pair = Arc::clone(&self.pair);
        Arc::new(move |signed| pair.sign(signed).as_ref().to_vec())
    }
}

async fn discovery(State(shared): State<Shared>) -> Response {
    // Who else is on the way arrives meanwhile.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let mut plan = shared.plan.lock().unwrap();
    plan.asked.push("discovery");
    let url = &shared.url;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/me"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "RS256"],
        "authorization_response_iss_parameter_supported": true,
    });
    (plan.discovery)(&mut document);
    axum::Json(document).into_response()
}

async fn keys(State(shared): State<Shared>) -> Response {
    let mut plan = shared.plan.lock().unwrap();
    plan.asked.push("keys");
    axum::Json(json!({ "keys": plan.keys })).into_response()
}

/// Nobody is asked anything: the browser goes back at once.
async fn authorize(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Redirect {
    let mut plan = shared.plan.lock().unwrap();
    plan.asked.push("authorize");
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], CLIENT);
    assert_eq!(query["code_challenge_method"], "S256");
    let code = format!("code-{}", plan.asked.len());
    let nonce = query.get("nonce").cloned();
    let begun = Begun { nonce, challenge: query["code_challenge"].clone() };
    plan.codes.insert(code.clone(), begun);
    let mut back = url::Url::parse(&query["redirect_uri"]).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &query["state"]);
    if let Some(iss) = &plan.iss {
        back.query_pairs_mut().append_pair("iss", iss);
    }
    Redirect::to(back.as_str())
}

async fn token(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let (answer, reply) = {
        let mut plan = shared.plan.lock().unwrap();
        plan.asked.push("token");
        plan.authorization =
            headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        plan.token_form = form.clone();
        (plan.token_answer, tokens(&shared, &mut plan, &form))
    };
    match answer {
        TokenAnswer::Tokens => reply,
        TokenAnswer::ElsewhereIsBetter => {
            Redirect::temporary(&format!("{}/elsewhere", shared.url)).into_response()
        }
        TokenAnswer::Endless => vec![b' '; 8 << 20].into_response(),
        TokenAnswer::Never => std::future::pending().await,
        TokenAnswer::Broken => (StatusCode::BAD_GATEWAY, "no").into_response(),
        TokenAnswer::Refusal => refusal("access_denied"),
    }
}

fn refusal(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response()
}

fn tokens(shared: &Shared, plan: &mut Plan, form: &HashMap<String, String>) -> Response {
    let code = form["code"].clone();
    let begun = if plan.codes_are_checked {
        plan.codes.remove(&code)
    } else {
        plan.codes.get(&code).cloned()
    };
    let Some(begun) = begun else { return refusal("invalid_grant") };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let challenge = BASE64.encode(digest(&SHA256, verifier.as_bytes()));
    if plan.codes_are_checked && challenge != begun.challenge {
        return refusal("invalid_grant");
    }
    let now = shared.clock.now().as_micros() / 1_000_000;
    let mut claims = plan.person.clone();
    claims["iss"] = shared.url.clone().into();
    claims["aud"] = CLIENT.into();
    claims["iat"] = now.into();
    claims["exp"] = (now + 300).into();
    if let Some(nonce) = begun.nonce {
        claims["nonce"] = nonce.into();
    }
    (plan.claims)(&mut claims);
    let mut header = json!({ "alg": "EdDSA", "kid": "first" });
    (plan.header)(&mut header);
    let signed =
        format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = BASE64.encode((plan.sign)(signed.as_bytes()));
    let id_token = format!("{signed}.{signature}");
    axum::Json(json!({
        "access_token": "opens the user info", "token_type": "Bearer", "id_token": id_token,
    }))
    .into_response()
}

/// Where the token endpoint sends who follows it.
async fn elsewhere(State(shared): State<Shared>) -> Response {
    let mut plan = shared.plan.lock().unwrap();
    plan.asked.push("elsewhere");
    let form = plan.token_form.clone();
    tokens(&shared, &mut plan, &form)
}

async fn user_info(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut plan = shared.plan.lock().unwrap();
    plan.asked.push("user info");
    assert_eq!(headers["authorization"], "Bearer opens the user info");
    axum::Json(plan.user_info.clone()).into_response()
}

/// The header by which a client with a secret says who it is (RFC 6749, 2.3.1).
pub(crate) fn basic() -> String {
    let secret = CLIENT_SECRET.replace(' ', "+");
    format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")))
}
