//! What surrounds every route.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{get, post};
use crm_core::Crm;
use crm_core::ports::Quota;
use crm_sqlite::SqliteStore;
use serde_json::Value;
use tower::ServiceExt;

use crate::{App, Config, Origins};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

async fn app(config: Config) -> App {
    let store = SqliteStore::open_in_memory().await.unwrap();
    let crm = Crm::builder(store).build().unwrap();
    App::new(crm, config)
}

/// Routes of the test's own, surrounded as all are.
async fn surrounded(routes: Router<App>, config: Config) -> Router {
    let app = app(config).await;
    super::surrounded(routes, &app).with_state(app)
}

async fn call(router: &Router, request: Request<Body>) -> Response<Body> {
    let mut request = request;
    request.extensions_mut().insert(ConnectInfo(PEER));
    router.clone().oneshot(request).await.unwrap()
}

async fn problem(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["request_id"], &body["status"]), (&id.into(), &status.as_u16().into()));
    (status, body)
}

fn at(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_problem_document() {
    let mut config = Config::default();
    config.time_limit = Duration::from_millis(20);
    config.body_limit = 100;
    let routes = Router::new()
        .route("/panics", get(async || -> () { panic!("the secret of the house") }))
        .route("/hangs", get(async || std::future::pending::<()>().await))
        .route("/takes", post(async |_: crate::extract::Body<Value>| ()));
    let router = surrounded(routes, config).await;
    let posted =
        |body: Body| Request::post("/takes").header("content-type", "application/json").body(body);
    let long = vec![b' '; 101];
    // One whose length nobody tells beforehand.
    let streamed = Body::from_stream(futures::stream::iter([std::io::Result::Ok(long.clone())]));
    let cases = [
        (at("/panics"), 500, "internal"),
        (at("/hangs"), 503, "unavailable"),
        (at("/nothing"), 404, "not_found"),
        (at("/takes"), 405, "method_not_allowed"),
        (at(&format!("/{}", "x".repeat(8192))), 414, "uri_too_long"),
        (posted(Body::from(long.clone())).unwrap(), 413, "payload_too_large"),
        (posted(streamed).unwrap(), 413, "payload_too_large"),
        (Request::post("/takes").body(Body::from("{}")).unwrap(), 415, "unsupported_media_type"),
        (posted(Body::from("{")).unwrap(), 400, "malformed"),
    ];
    for (request, status, code) in cases {
        let what = format!("{} {}", request.method(), request.uri());
        let (found, body) = problem(call(&router, request).await).await;
        assert_eq!((found.as_u16(), &body["code"]), (status, &code.into()), "{what}: {body}");
        assert!(!body.to_string().contains("secret of the house"), "{body}");
    }
    let waits = call(&router, at("/hangs")).await;
    assert_eq!(waits.headers()["retry-after"], "1");
}

#[tokio::test]
async fn pages_of_other_origins_may_call_where_the_host_says_so() {
    let preflight = || {
        Request::options("/auth/me")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .body(Body::empty())
            .unwrap()
    };
    let closed = super::router(app(Config::default()).await.crm, Config::default());
    let reply = call(&closed, preflight()).await;
    assert_eq!(reply.status(), 405);
    assert!(!reply.headers().keys().any(|name| name.as_str().starts_with("access-control-")));

    let mut config = Config::default();
    config.cors_origins = Origins::from_iter(["https://app.example".parse().unwrap()]);
    let open = super::router(app(Config::default()).await.crm, config);
    let reply = call(&open, preflight()).await;
    assert_eq!(reply.status(), 200);
    let headers = reply.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://app.example");
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let mut stranger = at("/auth/me");
    stranger.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let reply = call(&open, stranger).await;
    assert!(!reply.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn browsers_are_told_to_do_no_more_than_needed() {
    let mut config = Config::default();
    config.public_url = Some("https://crm.example".to_owned());
    let router = super::router(app(Config::default()).await.crm, config);
    let reply = call(&router, at("/auth/me")).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ] {
        assert_eq!(reply.headers()[name], value);
    }
    let plain = super::router(app(Config::default()).await.crm, Config::default());
    let reply = call(&plain, at("/auth/me")).await;
    assert!(!reply.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn long_texts_are_compressed_but_no_secrets() {
    let long = || "x".repeat(2000);
    let routes = Router::new()
        .route("/long", get(async move || long()).post(async move || long()))
        .route("/short", get(async || "x".repeat(1000)))
        .route("/auth/long", get(async move || long()));
    let host = Router::new().nest("/crm", surrounded(routes, Config::default()).await);
    let encoding = async |mut request: Request<Body>| {
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let reply = call(&host, request).await;
        assert_eq!(reply.status(), 200);
        reply.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(encoding(at("/crm/long")).await.as_deref(), Some("gzip"));
    assert_eq!(encoding(at("/crm/short")).await, None);
    assert_eq!(encoding(at("/crm/auth/long")).await, None);
    assert_eq!(encoding(Request::post("/crm/long").body(Body::empty()).unwrap()).await, None);
}

#[tokio::test]
async fn the_pages_of_the_document_work_under_any_prefix_and_without_the_network() {
    let crm = app(Config::default()).await.crm;
    let nested = |prefix| Router::new().nest(prefix, super::router(crm.clone(), Config::default()));
    let host = nested("/a/b");
    let reply = call(&host, at("/a/b/docs")).await;
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["location"]),
        (307, &"docs/".parse().unwrap())
    );
    let text = async |path: &str| {
        let reply = call(&host, at(path)).await;
        assert_eq!(reply.status(), 200, "{path}");
        let kind = reply.headers()["content-type"].to_str().unwrap();
        let said = kind.ends_with("; charset=utf-8");
        assert!(said || !kind.starts_with("text/"), "{path}: {kind}");
        let body = to_bytes(reply.into_body(), usize::MAX).await.unwrap();
        String::from_utf8_lossy(&body).into_owned()
    };
    let page = text("/a/b/docs/").await;
    // Whatever the page needs lies beside it.
    let parts: Vec<&str> = page
        .split(['"', '\''])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".png"))
        .collect();
    assert!(parts.len() >= 5, "{page}");
    for part in parts {
        text(&format!("/a/b/docs/{}", part.trim_start_matches("./"))).await;
    }
    assert!(!page.contains("://"), "{page}");
    assert!(text("/a/b/docs/swagger-initializer.js").await.contains("\"../openapi.json\""));
    assert!(text("/a/b/openapi.json").await.contains("\"servers\":[{\"url\":\".\"}]"));
    assert_eq!(call(&host, at("/a/b/docs/nothing.js")).await.status(), 404);
}

#[tokio::test]
async fn a_flood_from_one_network_of_ipv6_is_one_caller() {
    let mut config = Config::default();
    config.per_address = Some(Quota::per(2, Duration::from_secs(3600)));
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let router = super::router(app(Config::default()).await.crm, config);
    let from = async |address: &str| {
        let mut request = at("/openapi.json");
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        call(&router, request).await.status().as_u16()
    };
    assert_eq!(from("2001:db8:1:1::1").await, 200);
    assert_eq!(from("2001:db8:1:1::2").await, 200);
    assert_eq!(from("2001:db8:1:1:ffff::3").await, 429);
    assert_eq!(from("2001:db8:1:2::1").await, 200);
}
