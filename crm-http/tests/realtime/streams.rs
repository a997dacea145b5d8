//! Server-sent events.

use std::time::Duration;

use crm_core::Role;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

use crate::scene::{SOON, Scene, ticket};

struct Stream(Lines<BufReader<TcpStream>>);

impl Stream {
    async fn of(scene: &Scene, path: &str, headers: &str) -> Stream {
        let mut stream = TcpStream::connect(scene.node.address).await.unwrap();
        let address = scene.node.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Stream(BufReader::new(stream).lines())
    }

    async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(SOON, self.0.next_line()).await;
        line.expect("a line in time").unwrap_or_default()
    }

    /// The id and the frame of the next event of this name.
    async fn next(&mut self, name: &str) -> (String, Value) {
        let (mut id, mut data, mut event) = (String::new(), String::new(), String::new());
        loop {
            let line = self.line().await.expect("more of the stream");
            match line.split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("data", value)) => data = value.to_owned(),
                Some(("event", value)) => event = value.to_owned(),
                _ if line.is_empty() && event == name => {
                    return (id, serde_json::from_str(&data).unwrap());
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let token = viewer.access_token.reveal();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let mut stream = Stream::of(&scene, "/events", &bearer).await;
    let (start, hello) = stream.next("hello").await;
    assert_eq!(hello["position"], start);
    scene.contact("Ada").await;
    scene.contact("Bob").await;
    let (id, frame) = stream.next("event").await;
    assert_eq!(frame["event"]["data"]["contact"]["first_name"], "Ada");
    assert_eq!(frame["position"], id);
    drop(stream);
    let path = format!("/events?topics=tenant&ticket={}", ticket(&scene.node, token).await);
    let mut again = Stream::of(&scene, &path, &format!("Last-Event-ID: {id}\r\n")).await;
    let (_, frame) = again.next("event").await;
    assert_eq!(frame["event"]["data"]["contact"]["first_name"], "Bob");
    let path = format!("/events?after={start}");
    let mut first = Stream::of(&scene, &path, &bearer).await;
    let (_, frame) = first.next("event").await;
    assert_eq!(frame["event"]["data"]["contact"]["first_name"], "Ada");
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_its_server() {
    let scene = Scene::new().await;
    for by_server in [false, true] {
        let viewer = scene.person(Role::Viewer).await;
        let token = viewer.access_token.reveal();
        let bearer = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
        let mut stream = Stream::of(&scene, "/events", &bearer).await;
        stream.next("hello").await;
        if by_server {
            scene.node.closing.close();
        } else {
            let crm = &scene.node.crm;
            let session = crm.identity(crate::scene::arrival(crm)).authenticate(token).await;
            session.unwrap().account().sign_out(None).await.unwrap();
        }
        let ended = async { while stream.line().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(1), ended).await.expect("the stream ends");
    }
}

#[tokio::test]
async fn a_compressed_stream_ends_whole() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let bearer = format!("Authorization: Bearer {}\r\n", viewer.access_token.reveal());
    let headers = format!("{bearer}Accept-Encoding: gzip\r\nConnection: close\r\n");
    let stream = Stream::of(&scene, "/events", &headers).await;
    let mut stream = stream.0.into_inner();
    let mut sent = vec![0; 64];
    stream.read_exact(&mut sent).await.unwrap();
    scene.node.closing.close();
    let rest = tokio::time::timeout(SOON, stream.read_to_end(&mut sent)).await;
    rest.expect("the stream ends").unwrap();
    assert!(sent.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&sent));
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let bearer = format!("Authorization: Bearer {}\r\n", viewer.access_token.reveal());
    for (path, more) in [
        ("/events?topics=nobody", ""),
        ("/events?after=yesterday", ""),
        ("/events?since=1", ""),
        ("/events", "Last-Event-ID: first\r\n"),
    ] {
        let mut stream = Stream::of(&scene, path, &format!("{bearer}{more}")).await;
        let status = stream.line().await.unwrap();
        assert!(status.starts_with("HTTP/1.1 400"), "{path} {more}: {status}");
    }
}
