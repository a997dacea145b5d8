//! Bodies that are streamed, and those whose reader or writer goes away.

use std::io;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::Response;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::scene::{Scene, is, soon, text};

/// A body that is written by the sender.
fn written() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (sender, Body::from_stream(pieces))
}

fn import(scene: &Scene, body: Body) -> axum::http::Request<Body> {
    let request = scene.request("POST", "/contacts/import").header("content-type", "text/csv");
    request.body(body).unwrap()
}

#[tokio::test]
async fn an_import_is_read_as_it_comes() {
    let scene = Scene::with(|config| config.body_limit = 100).await;
    let (sender, body) = written();
    let mount = scene.mount.clone();
    let request = import(&scene, body);
    let reply = tokio::spawn(async move { mount.call("", None, request).await });
    sender.send(Ok("first_name,email\n".into())).await.unwrap();
    for number in 0..300 {
        let row = format!("Ada{number},ada{number}@example.com\n");
        soon(sender.send(Ok(row.into()))).await.unwrap();
    }
    assert!(!reply.is_finished());
    drop(sender);
    let (_, report) = is(soon(reply).await.unwrap(), 200).await;
    assert_eq!((&report["created"], &report["failed"]), (&json!(300), &json!(0)));

    let (sender, body) = written();
    let mut cut_off = Box::pin(scene.call("", import(&scene, body)));
    sender.send(Ok("first_name\nGrace\n".into())).await.unwrap();
    assert!((&mut cut_off).now_or_never().is_none());
    sender.send(Err(io::ErrorKind::ConnectionReset.into())).await.unwrap();
    drop(sender);
    let (_, problem) = is(cut_off.await, 400).await;
    assert_eq!(problem["code"], "malformed");
}

#[tokio::test]
async fn a_dropped_call_reads_no_further() {
    let scene = Scene::new().await;
    let (sender, body) = written();
    let mut call = Box::pin(scene.call("", import(&scene, body)));
    sender.send(Ok("first_name\nGrace\n".into())).await.unwrap();
    while sender.capacity() == 0 {
        assert!((&mut call).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(call);
    soon(sender.closed()).await;
}

#[tokio::test]
async fn an_export_comes_as_it_is_written() {
    let scene = Scene::new().await;
    for number in 0..1100 {
        scene.contact(&format!("contact{number}")).await;
    }
    let reply = scene.get("/contacts/export?format=jsonl").await;
    assert_eq!((reply.status().as_u16(), reply.body().size_hint().exact()), (200, None));
    let pieces: Vec<Bytes> =
        reply.into_body().into_data_stream().map(Result::unwrap).collect().await;
    assert!(pieces.len() > 1, "{}", pieces.len());
    let lines =
        pieces.concat().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines, 1100);
}

/// The events of a stream, by their data.
struct Events {
    body: axum::body::BodyDataStream,
    read: String,
}

impl Events {
    fn of(reply: Response<Body>) -> Self {
        assert_eq!(reply.status().as_u16(), 200);
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        Events { body: reply.into_body().into_data_stream(), read: String::new() }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|data| serde_json::from_str(data).unwrap());
                self.read = rest.to_owned();
                if data.is_some() {
                    return data;
                }
            } else {
                let piece = soon(self.body.next()).await?.unwrap();
                self.read.push_str(std::str::from_utf8(&piece).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn events_come_as_they_happen_until_the_mount_is_closed() {
    let scene = Scene::new().await;
    let mut events = Events::of(scene.get("/events").await);
    assert_eq!(events.next().await.unwrap()["type"], "hello");
    assert!(events.next().now_or_never().is_none());
    for name in ["Ada", "Bob"] {
        scene.contact(name).await;
        let event = events.next().await.unwrap();
        assert_eq!(event["event"]["data"]["contact"]["first_name"], name);
    }
    scene.mount.close();
    assert_eq!(events.next().await, None);
    // Other requests are served as before.
    is(scene.get("/contacts").await, 200).await;
}

#[tokio::test]
async fn a_dropped_body_frees_its_place() {
    let scene = Scene::with(|config| config.realtime_connections = 1).await;
    let first = Events::of(scene.get("/events").await);
    assert_eq!(scene.get("/events").await.status().as_u16(), 503);
    drop(first);
    let text = text(scene.get("/realtime/presence").await).await;
    assert!(text.contains("items"), "{text}");
    Events::of(scene.get("/events").await);
}
