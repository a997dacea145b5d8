//! What is heard was told: by another node, of that tenant, under that prefix.

use std::collections::BTreeSet;
use std::time::Duration;

use crm_core::TenantId;
use crm_core::ports::{EventBus as _, News, Randomness as _, SystemRandomness};
use crm_redis::{Redis, RedisBus, RedisOptions};
use futures::StreamExt as _;
use tokio::time;
use uuid::Uuid;

use crate::support::{Server, until};

const PATIENCE: Duration = Duration::from_secs(20);

fn random() -> u128 {
    let mut bytes = [0; 16];
    SystemRandomness.fill(&mut bytes).unwrap();
    u128::from_le_bytes(bytes)
}

fn some_news() -> News {
    let tenant = TenantId::from_uuid(Uuid::from_u128(random()));
    match random() % 20 {
        0 => News::Jobs,
        number if number % 2 == 0 => News::Events(tenant),
        _ => News::Standing(tenant),
    }
}

async fn node(server: &Server, prefix: &str) -> RedisBus {
    let options = RedisOptions { prefix: prefix.to_owned(), ..RedisOptions::default() };
    let bus = Redis::connect_with(&server.url(), options).await.unwrap().bus();
    bus.listens().await;
    bus
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_heard_that_was_not_told() {
    let server = Server::start(&[]).await;
    let nodes =
        [node(&server, "crm").await, node(&server, "crm").await, node(&server, "crm").await];
    let neighbour = node(&server, "crm2").await;
    let told: Vec<Vec<News>> = (0..3).map(|_| (0..1000).map(|_| some_news()).collect()).collect();
    let foreign: BTreeSet<News> = (0..1000).map(|_| some_news()).collect();

    let mut hearing = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        let others = told.iter().enumerate().filter(|(other, _)| *other != place);
        let others: BTreeSet<News> = others.flat_map(|(_, told)| told.clone()).collect();
        let mut listener = node.listen();
        hearing.push(tokio::spawn(async move {
            let mut missing = others.clone();
            let all = async {
                while !missing.is_empty() {
                    let heard = listener.next().await.unwrap();
                    assert!(others.contains(&heard) || heard == News::Missed, "invented: {heard}");
                    missing.remove(&heard);
                }
            };
            assert!(time::timeout(PATIENCE, all).await.is_ok(), "{} not heard", missing.len());
        }));
    }
    let mut overheard = neighbour.listen();
    for step in 0..1000 {
        for (node, told) in nodes.iter().zip(&told) {
            node.tell(told[step]);
        }
        if let Some(news) = foreign.iter().nth(step) {
            neighbour.tell(*news);
        }
        if step % 50 == 0 {
            // What somebody else publishes there is no news, however near it comes.
            let tenant = Uuid::from_u128(random()).simple();
            for message in [
                format!("e{tenant}"),
                format!("\"1 {tenant} e{tenant} x\""),
                format!("\"1 {tenant} e{}\"", "z".repeat(32)),
                format!("\"2 {tenant} e{tenant}\""),
                format!("\"{}\"", "x".repeat(10_000)),
                "\"\\xff\\x00\"".to_owned(),
            ] {
                let answer = server.command(&format!("PUBLISH crm:{{news}} {message}"));
                assert!(answer.starts_with(":3"), "{answer}");
            }
            time::sleep(Duration::from_micros(500)).await;
        }
    }
    for hearing in hearing {
        hearing.await.unwrap();
    }
    // It is alone under its prefix.
    let heard = std::iter::from_fn(|| futures::FutureExt::now_or_never(overheard.next()).flatten());
    assert_eq!(heard.filter(|heard| *heard != News::Missed).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_too_slowly_is_told() {
    let server = Server::start(&[]).await;
    let [told, heard] = [node(&server, "crm").await, node(&server, "crm").await];
    let (mut slow, mut fast) = (heard.listen(), heard.listen());
    let mut count = 0;
    for round in 0..20 {
        for number in 0..1000u128 {
            told.tell(News::Events(TenantId::from_uuid(Uuid::from_u128(round * 1000 + number))));
        }
        while count < (round + 1) * 1000 {
            let heard = time::timeout(PATIENCE, fast.next()).await.unwrap().unwrap();
            assert_ne!(heard, News::Missed, "who keeps up misses nothing");
            count += 1;
        }
    }
    let mut heard = Vec::new();
    until("the slow one hears that it missed something", PATIENCE, || {
        heard.extend(futures::FutureExt::now_or_never(slow.next()).flatten());
        heard.contains(&News::Missed)
    })
    .await;
    assert_eq!(heard, [News::Missed], "at once, and in place of what is gone");
}
