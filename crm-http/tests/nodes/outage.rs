//! Redis is away: nothing is lost, writes hardly notice, and news are fast again soon after.

use std::time::{Duration, Instant};

use futures::SinkExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Socket, connect, next};
use crate::deployment::{Deployment, table, write};

/// Writes for so long, and how long the slowest of a hundred writes takes.
async fn load(deployment: &Deployment, time: Duration) -> (usize, Duration) {
    let (address, until) = (deployment.address(0), Instant::now() + time);
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        assert!(write(&address, &deployment.token, "Load").await, "a write fails without Redis");
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times.sort_unstable();
    (times.len(), times[times.len() * 99 / 100])
}

/// How long it takes until a follower of the other node hears of a contact.
async fn hears_after(deployment: &Deployment, socket: &mut Socket, name: &str) -> Duration {
    let address = deployment.address(0);
    assert!(write(&address, &deployment.token, name).await);
    let began = Instant::now();
    loop {
        let frame = next(socket).await.expect("the event in time");
        if frame["event"]["data"]["contact"]["first_name"] == name {
            return began.elapsed();
        }
    }
}

async fn without_redis(time: Duration) {
    let mut deployment = Deployment::start(2);
    let session = deployment.session().await;
    let mut socket = connect(&deployment.address(1), &deployment.token).await.unwrap();
    let hello = next(&mut socket).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "topics": ["tenant"] });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    hears_after(&deployment, &mut socket, "Before").await;

    let follower = tokio::spawn(async move {
        let mut told = Vec::new();
        loop {
            let frame = next(&mut socket).await.expect("more events");
            told.push(frame["event"]["id"].as_str().unwrap().to_owned());
            if frame["event"]["data"]["contact"]["first_name"] == "Last" {
                return (told, socket);
            }
        }
    });
    let (_, usual) = load(&deployment, Duration::from_secs(2)).await;
    deployment.redis.kill();
    let (writes, without) = load(&deployment, time).await;
    deployment.redis.restart();
    let back = Instant::now();
    let address = deployment.address(0);
    assert!(write(&address, &deployment.token, "Last").await);
    let (told, mut socket) = follower.await.unwrap();
    let mut number = 0;
    loop {
        let name = format!("After{number}");
        number += 1;
        // Faster than by looking, which happens every 400 ms, several times.
        let mut fast = 0;
        for _ in 0..3 {
            if hears_after(&deployment, &mut socket, &name).await < Duration::from_millis(150) {
                fast += 1;
            }
        }
        if fast == 3 {
            break;
        }
        assert!(back.elapsed() < Duration::from_secs(5), "news are slow 5 s after Redis came back");
    }
    let recovered = back.elapsed();
    let expected: Vec<String> = table(&session)
        .await
        .into_iter()
        .filter(|(position, _)| position.as_str() > hello["position"].as_str().unwrap())
        .map(|(_, id)| id)
        .skip(1)
        .take(told.len())
        .collect();
    assert_eq!(told, expected, "nothing is lost");
    eprintln!(
        "write p99 with Redis {usual:?}, without for {time:?} {without:?} ({writes} writes); fast again \
         after {recovered:?}"
    );
    assert!(without < usual + Duration::from_millis(50), "{usual:?} with, {without:?} without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_can_be_away() {
    without_redis(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a minute"]
async fn long_redis_can_be_away() {
    without_redis(Duration::from_secs(60)).await;
}
