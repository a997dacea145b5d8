//! WebSockets, by their messages and by their bytes.

use axum::body::Body;
use axum::http::Request;
use crm_http::mount::{Closed, Opened, SocketMessage, WebSocket};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::scene::{PEER, Scene, is, soon};

async fn open(scene: &Scene, prefix: &str, path: &str, headers: &[(&str, &str)]) -> Opened {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    soon(scene.mount.open(prefix, Some(PEER), request.body(()).unwrap())).await
}

async fn refused(scene: &Scene, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    match open(scene, "", path, headers).await {
        Opened::Refused(reply) => {
            let status = reply.status().as_u16();
            let (headers, problem) = is(reply, status).await;
            assert_eq!(headers["content-type"], "application/problem+json");
            assert!(headers.contains_key("x-request-id"));
            (status, problem["code"].as_str().unwrap().to_owned())
        }
        Opened::Accepted(_) => panic!("let in"),
    }
}

/// A socket of the owner, who was greeted.
async fn socket(scene: &Scene) -> WebSocket {
    let bearer = format!("Bearer {}", scene.token);
    match open(scene, "", "/ws", &[("authorization", &bearer)]).await {
        Opened::Accepted(socket) => {
            assert_eq!(next(&socket).await["type"], "hello");
            socket
        }
        Opened::Refused(reply) => panic!("refused: {reply:?}"),
    }
}

async fn next(socket: &WebSocket) -> Value {
    match soon(socket.recv()).await {
        Ok(SocketMessage::Text(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

async fn say(socket: &WebSocket, message: &Value) {
    soon(socket.send(SocketMessage::Text(message.to_string().into()))).await.unwrap();
}

/// How it ends, and that it stays so.
async fn end(socket: &WebSocket) -> Closed {
    let closed = loop {
        if let Err(closed) = soon(socket.recv()).await {
            break closed;
        }
    };
    assert_eq!(socket.recv().await, Err(closed.clone()));
    closed
}

#[tokio::test]
async fn messages_go_both_ways() {
    let scene = Scene::new().await;
    let ticket = scene.request("POST", "/realtime/tickets").body(Body::empty()).unwrap();
    let (_, ticket) = is(scene.call("", ticket).await, 201).await;
    let path = format!("/crm/ws?ticket={}", ticket["ticket"].as_str().unwrap());
    // As a server has them that has read the handshake.
    let headers = [
        ("host", "crm.example"),
        ("origin", "http://crm.example"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="),
        ("sec-websocket-version", "13"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-protocol", "unknown"),
        ("x-request-id", "of-the-caller"),
    ];
    let Opened::Accepted(socket) = open(&scene, "/crm", &path, &headers).await else {
        panic!("refused")
    };
    assert_eq!(socket.headers()["x-request-id"], "of-the-caller");
    assert!(!socket.headers().keys().any(|name| name.as_str().starts_with("sec-websocket")));
    assert_eq!(socket.protocol(), None);
    assert_eq!(next(&socket).await["type"], "hello");
    say(&socket, &json!({ "type": "subscribe", "topics": ["tenant"] })).await;
    // One waits for what comes while the other speaks.
    let ping = json!({ "type": "ping" });
    let (pong, ()) = tokio::join!(next(&socket), say(&socket, &ping));
    assert_eq!(pong["type"], "pong");
    assert!(socket.recv().now_or_never().is_none());
    scene.contact("Ada").await;
    assert_eq!(next(&socket).await["event"]["data"]["contact"]["first_name"], "Ada");
}

#[tokio::test]
async fn who_may_not_follow_is_told_so() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let unauthenticated = (401, "unauthenticated".to_owned());
    assert_eq!(refused(&scene, "/ws", &[]).await, unauthenticated);
    assert_eq!(refused(&scene, "/ws?ticket=made-up", &[]).await, unauthenticated);
    let elsewhere = [
        ("authorization", bearer.as_str()),
        ("host", "crm.example"),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(refused(&scene, "/ws", &elsewhere).await, (403, "forbidden".to_owned()));
    let unknown = refused(&scene, "/ws?token=1", &elsewhere).await;
    assert_eq!(unknown, (400, "unknown_parameter".to_owned()));
    assert_eq!(refused(&scene, "/socket", &[]).await, (404, "not_found".to_owned()));
    // Where there is no socket, the reply is what it would be without.
    let long = [("authorization", bearer.as_str()), ("accept-encoding", "gzip")];
    let Opened::Refused(reply) = open(&scene, "", "/openapi.json", &long).await else {
        panic!("let in")
    };
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["content-encoding"]),
        (200, &"gzip".parse().unwrap())
    );
    let bytes = axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() > 8192, "{}", bytes.len());
}

#[tokio::test]
async fn each_end_has_its_code() {
    let scene = Scene::new().await;
    let bytes = socket(&scene).await;
    bytes.send(SocketMessage::Binary(vec![1, 2].into())).await.unwrap();
    assert_eq!(end(&bytes).await.code, 1003);
    let long = socket(&scene).await;
    long.send(SocketMessage::Text("x".repeat(17_000).into())).await.unwrap();
    assert_eq!(end(&long).await.code, 1009);
    assert!(soon(long.send(SocketMessage::Text("x".into()))).await.is_err());

    let stopped = socket(&scene).await;
    scene.mount.close();
    let stopped = end(&stopped).await;
    assert_eq!((stopped.code, stopped.reason.as_str()), (1001, "server_stops"));
}

#[tokio::test]
async fn the_end_of_a_session_is_told() {
    let scene = Scene::new().await;
    let socket = socket(&scene).await;
    let out = scene.request("POST", "/auth/logout").header("content-type", "application/json");
    is(scene.call("", out.body("{}".into()).unwrap()).await, 204).await;
    assert_eq!(end(&socket).await.code, 4401);
}

#[tokio::test]
async fn a_socket_that_its_client_leaves_frees_its_place() {
    let scene = Scene::with(|config| config.realtime_connections = 1).await;
    let bearer = format!("Bearer {}", scene.token);
    for code in [Some(1000), Some(1006), Some(4999), None] {
        let open = socket_in_time(&scene).await;
        let busy = refused(&scene, "/ws", &[("authorization", &bearer)]).await;
        assert_eq!(busy, (503, "unavailable".to_owned()));
        if let Some(code) = code {
            open.close(code, "enough").await;
            let closed = end(&open).await.code;
            assert!([code, 1005, 1006].contains(&closed), "{closed}");
        }
    }
}

/// One for which there may be no place yet.
async fn socket_in_time(scene: &Scene) -> WebSocket {
    let bearer = format!("Bearer {}", scene.token);
    soon(async {
        loop {
            if let Opened::Accepted(socket) =
                open(scene, "", "/ws", &[("authorization", &bearer)]).await
            {
                assert_eq!(next(&socket).await["type"], "hello");
                return socket;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn bytes_are_upgraded_below_a_prefix() {
    let scene = Scene::new().await;
    let mut request = "ws://crm.example/crm/ws".into_client_request().unwrap();
    let bearer = format!("Bearer {}", scene.token).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let pipe = scene.mount.connect("/crm", Some(PEER));
    let (mut socket, _) = soon(tokio_tungstenite::client_async(request, pipe)).await.unwrap();
    let hello = soon(socket.next()).await.unwrap().unwrap();
    assert!(hello.to_text().unwrap().contains("hello"), "{hello}");
    socket.send(Message::text("{\"type\":\"ping\"}")).await.unwrap();
    let pong = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(pong.to_text().unwrap(), "{\"type\":\"pong\"}");
}

#[tokio::test]
async fn a_closed_mount_answers_what_was_asked_and_ends() {
    let scene = Scene::new().await;
    let mut idle = scene.mount.connect("", None);
    let mut pipe = scene.mount.connect("", None);
    scene.mount.close();
    pipe.write_all(b"GET /health/live HTTP/1.1\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    soon(pipe.read_to_string(&mut reply)).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert_eq!(soon(idle.read(&mut [0; 8])).await.unwrap(), 0);
    let bearer = format!("Bearer {}", scene.token);
    match open(&scene, "", "/ws", &[("authorization", &bearer)]).await {
        Opened::Accepted(socket) => assert_eq!(end(&socket).await.code, 1001),
        Opened::Refused(reply) => assert_eq!(reply.status().as_u16(), 503),
    }
}
