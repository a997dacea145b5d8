//! Requests with their prefixes and peers, beside what an axum application and a socket make of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use crm_core::ports::Quota;
use crm_http::{Config, router};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tower::ServiceExt as _;

use crate::scene::{PEER, Scene, is, text};

#[tokio::test]
async fn a_prefix_stands_before_what_replies_name() {
    let scene = Scene::new().await;
    let nested = router(scene.crm.clone(), Config::default());
    let nested = Router::new().nest("/a/crm", nested);
    let made = nested.oneshot(scene.create("/a/crm/contacts", "Ada")).await.unwrap();
    let (headers, ada) = is(made, 201).await;
    let location = |id: &serde_json::Value| format!("/a/crm/contacts/{}", id.as_str().unwrap());
    assert_eq!(headers["location"], location(&ada["id"]));

    for (prefix, path) in [
        ("/a/crm", "/a/crm/contacts"),
        ("/a/crm/", "/a/crm/contacts"),
        ("/a/crm", "/contacts"),
        ("/a/crm", "http://crm.example/a/crm/contacts"),
    ] {
        let (headers, made) = is(scene.call(prefix, scene.create(path, "Bob")).await, 201).await;
        assert_eq!(headers["location"], location(&made["id"]), "{prefix} {path}");
        let found = scene.request("GET", headers["location"].to_str().unwrap());
        let (_, found) =
            is(scene.call(prefix, found.body(Body::empty()).unwrap()).await, 200).await;
        assert_eq!(found, made);
    }
    for (prefix, path, status) in [
        ("", "/contacts?limit=1", 200),
        ("/", "/contacts?limit=1", 200),
        ("/crm", "/crm/contacts?limit=1", 200),
        ("/crm", "/crm/openapi.json", 200),
        ("/crm", "/crm", 404),
        ("/crm", "/crm?limit=1", 404),
        ("/crm", "/crmcontacts", 404),
        ("/crm", "/other/contacts", 404),
        ("/con", "/contacts", 200),
        ("no prefix\n", "/contacts", 200),
    ] {
        let request = scene.request("GET", path).body(Body::empty()).unwrap();
        is(scene.call(prefix, request).await, status).await;
    }
    let document = scene.request("GET", "/crm/openapi.json").body(Body::empty()).unwrap();
    let (_, document) = is(scene.call("/crm", document).await, 200).await;
    assert_eq!(document["servers"][0]["url"], ".");
}

/// The status, the headers that are no news, and the body.
async fn said(response: Response<Body>) -> (u16, BTreeMap<String, String>, String) {
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let news = ["date", "ratelimit", "transfer-encoding"];
    let headers = headers.filter(|(name, _)| !news.contains(&name.as_str())).collect();
    (status, headers, text(response).await)
}

#[tokio::test]
async fn a_call_gives_what_a_connection_gives() {
    let scene = Scene::new().await;
    let id = scene.contact("Ada").await.id;
    let one = format!("/contacts/{id}");
    let (etag, json) = (("if-none-match", "\"1\""), ("content-type", "application/json"));
    for (method, path, header, body, status) in [
        ("GET", one.as_str(), None, "", 200),
        ("GET", one.as_str(), Some(etag), "", 304),
        ("HEAD", one.as_str(), None, "", 200),
        ("PUT", one.as_str(), None, "", 405),
        ("GET", "/nowhere", None, "", 404),
        ("GET", "/docs", None, "", 307),
        ("GET", "/contacts/export?format=csv", None, "", 200),
        ("POST", "/contacts", Some(json), "{", 400),
        ("POST", "/contacts", None, "{}", 415),
        ("POST", "/auth/sign-out", None, "", 404),
        ("OPTIONS", one.as_str(), None, "", 405),
        ("GET", "/ws", None, "", 400),
    ] {
        let request = || {
            let mut request = scene.request(method, path).header("x-request-id", "one");
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            request.body(Body::from(body)).unwrap()
        };
        let called = said(scene.call("", request()).await).await;
        let pipe = TokioIo::new(scene.mount.connect("", Some(PEER)));
        let (mut requests, connection) = http1::handshake(pipe).await.unwrap();
        tokio::spawn(connection);
        let piped = said(requests.send_request(request()).await.unwrap().map(Body::new)).await;
        assert_eq!(called, piped, "{method} {path}");
        assert_eq!(called.0, status, "{method} {path}: {}", called.2);
    }
    // What has no body says nothing of its length.
    let request = scene.request("DELETE", &one).body(Body::empty()).unwrap();
    let (headers, _) = is(scene.call("", request).await, 204).await;
    assert!(!headers.contains_key("content-length"), "{headers:?}");
}

#[tokio::test]
async fn callers_are_told_apart_by_their_addresses() {
    let scene = Scene::with(|config| {
        config.per_address = Some(Quota::per(2, Duration::from_secs(3600)));
        config.trusted_proxies = vec!["198.51.100.7".parse().unwrap()];
    })
    .await;
    let proxy: SocketAddr = "198.51.100.7:80".parse().unwrap();
    let other: SocketAddr = "192.0.2.2:80".parse().unwrap();
    let from = async |peer: Option<SocketAddr>, forwarded: &str| {
        let request = Request::get("/auth/me").header("x-forwarded-for", forwarded);
        let request = request.body(Body::empty()).unwrap();
        scene.mount.call("", peer, request).await.status().as_u16()
    };
    for expected in [401, 401, 429] {
        assert_eq!(from(Some(PEER), "203.0.113.1").await, expected);
    }
    assert_eq!(from(Some(other), "203.0.113.1").await, 401);
    for expected in [401, 401, 429] {
        assert_eq!(from(Some(proxy), "203.0.113.1").await, expected);
    }
    assert_eq!(from(Some(proxy), "203.0.113.2").await, 401);
    for _ in 0..4 {
        assert_eq!(from(None, "203.0.113.1").await, 401);
    }
}
