//! Clients that stop reading are sent away, and the others do not notice.

use std::time::{Duration, Instant};

use futures::SinkExt as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Socket, connect, next};
use crate::deployment::Deployment;

async fn following(deployment: &Deployment) -> Socket {
    let mut socket = connect(&deployment.address(0), &deployment.token).await.unwrap();
    next(&mut socket).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "topics": ["tenant"] });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    socket
}

/// Connections that the node has, by its metrics.
fn connections(metrics: &str) -> usize {
    let reply = crate::http::send(metrics, &crate::http::request("GET", "/metrics", &[], ""));
    let line = reply.body.lines().find(|line| line.starts_with("crm_realtime_connections "));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

async fn notice_nothing(clients: usize, slow: usize, per_second: u32) {
    let deployment = Deployment::start(1);
    let session = deployment.session().await;
    let contact = session.contacts().create(crm_core::contacts::NewContact::named("A", "B")).await;
    let contact = contact.unwrap().id;
    let metrics = deployment.metrics(0);
    let mut asleep = Vec::new();
    for _ in 0..slow {
        asleep.push(following(&deployment).await);
    }
    let (sender, mut ages) = tokio::sync::mpsc::unbounded_channel::<(u128, Duration)>();
    let mut readers = JoinSet::new();
    for _ in slow..clients {
        let (mut socket, sender) = (following(&deployment).await, sender.clone());
        readers.spawn(async move {
            while let Some(frame) = next(&mut socket).await {
                let subject = &frame["event"]["data"]["activity"]["subject"];
                let Some(sent) = subject.as_str().and_then(|text| text.parse::<u128>().ok()) else {
                    continue;
                };
                let age = micros().saturating_sub(sent);
                sender.send((sent, Duration::from_micros(age as u64))).ok();
            }
        });
    }
    assert_eq!(connections(&metrics), clients);
    // Long, so that what the system keeps for who does not read is full soon.
    let body = "x".repeat(20_000);
    let began = Instant::now();
    let mut left = None;
    let start = micros();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    // Half of the time with them, as long again without.
    while left.is_none_or(|(left, _): (Duration, u128)| began.elapsed() < left * 2) {
        ticks.tick().await;
        let mut note = crm_core::activities::NewActivity::note(contact, body.clone());
        note.subject = Some(micros().to_string());
        session.activities().create(note).await.unwrap();
        if left.is_none() && connections(&metrics) == clients - slow {
            left = Some((began.elapsed(), micros()));
        }
        assert!(left.is_some() || began.elapsed() < Duration::from_secs(30), "they are still here");
    }
    let (left, at) = left.unwrap();
    drop(readers);
    drop(sender);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    while let Ok((sent, age)) = ages.try_recv() {
        if sent > start {
            if sent < at { with.push(age) } else { without.push(age) }
        }
    }
    with.sort_unstable();
    without.sort_unstable();
    let p99 = |all: &[Duration]| all[all.len() * 99 / 100];
    eprintln!(
        "{slow} of {clients} who stop reading are sent away after {left:?}; the others' p99 {:?} with \
         them, {:?} without",
        p99(&with),
        p99(&without)
    );
    assert!(left < Duration::from_secs(10), "sent away after {left:?}");
    if clients >= 1_000 {
        // With few, the machine's own noise is more than this.
        assert!(p99(&with) < p99(&without).mul_f64(1.2), "the others notice");
    }
}

fn micros() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_sent_away() {
    notice_nothing(30, 3, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a thousand clients"]
async fn long_who_does_not_read_is_sent_away() {
    notice_nothing(1_000, 10, 20).await;
}
