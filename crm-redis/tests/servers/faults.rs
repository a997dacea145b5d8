//! A Redis that is killed, frozen, emptied, or not there at all costs time, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use crm_core::ports::{Cache as _, Cached, EventBus as _, Limits as _, News, Presence as _, Quota};
use crm_core::presence::Connected;
use crm_core::{ErrorKind, TenantId, Timestamp, UserId};
use crm_redis::{Redis, RedisBus};
use futures::StreamExt as _;
use tokio::time::{self, Instant};
use uuid::Uuid;

use crate::support::{Server, hears, until};

/// Within which everything works again.
const RECOVERY: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn connected(number: u128) -> Connected {
    let user = UserId::from_uuid(Uuid::from_u128(number));
    Connected { user, connection: Uuid::from_u128(number) }
}

fn now() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

async fn nodes(server: &Server) -> [(Redis, RedisBus); 2] {
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let redis = Redis::connect(&server.url()).await.unwrap();
        let bus = redis.bus();
        bus.listens().await;
        nodes.push((redis, bus));
    }
    nodes.try_into().unwrap()
}

/// None of these waits for a Redis that is known to be away.
async fn fails_at_once(redis: &Redis) {
    let quota = Quota::new(1000, MINUTE);
    let (presence, cache, limits) = (redis.presence(), redis.cache(), redis.limits());
    let start = Instant::now();
    for number in 0..100 {
        let error = presence.here(tenant(1), &[connected(number)], now(), MINUTE).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
        let error = presence.present(tenant(1), now()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
        let error = cache.get(tenant(1), "a").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(limits.take("alone", quota, now()).await.unwrap().allowed);
    }
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_found_again() {
    let mut server = Server::start(&[]).await;
    let [(one, told), (two, heard)] = nodes(&server).await;
    let mut listener = heard.listen();
    for round in 1..=3 {
        server.kill();
        until("it is seen to be away", RECOVERY, || !heard.is_up() && !told.is_up()).await;
        told.tell(News::Events(tenant(round)));
        fails_at_once(&one).await;
        server.run().await;
        hears(&mut listener, News::Missed, RECOVERY).await;
        until("both nodes are back", RECOVERY, || heard.is_up() && told.is_up()).await;
        // What waited to be told is out before this is told.
        while let Ok(Some(_)) = time::timeout(Duration::from_millis(100), listener.next()).await {}
        told.tell(News::Standing(tenant(round)));
        let before = hears(&mut listener, News::Standing(tenant(round)), RECOVERY).await;
        assert!(before.iter().all(|news| *news == News::Missed), "{before:?}");
        one.presence().here(tenant(1), &[connected(round)], now(), MINUTE).await.unwrap();
        assert_eq!(two.presence().present(tenant(1), now()).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_holds_nobody_up() {
    let server = Server::start(&[]).await;
    let [(one, told), (two, heard)] = nodes(&server).await;
    let mut listener = heard.listen();
    server.freeze();
    let start = Instant::now();
    for number in 0..10_000 {
        told.tell(News::Events(tenant(number)));
    }
    let each = start.elapsed() / 10_000;
    assert!(each < Duration::from_micros(50), "{each:?}");
    // Who asks before it is noticed waits half a second at most, however many ask.
    let (presence, start) = (one.presence(), Instant::now());
    let asks = (0..300).map(|_| presence.present(tenant(1), now()));
    for answer in futures::future::join_all(asks).await {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    fails_at_once(&one).await;
    until("it is seen to be frozen", RECOVERY, || !heard.is_up() && !told.is_up()).await;
    server.thaw();
    hears(&mut listener, News::Missed, RECOVERY).await;
    until("both nodes are back", RECOVERY, || heard.is_up() && told.is_up()).await;
    let quota = Quota::new(1, MINUTE);
    assert!(one.limits().take("shared", quota, now()).await.unwrap().allowed);
    assert!(!two.limits().take("shared", quota, now()).await.unwrap().allowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_later_is_used() {
    let mut server = Server::planned(&[]);
    let redis = Redis::connect(&server.url()).await.unwrap();
    assert_eq!(redis.check().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let bus = redis.bus();
    let mut listener = bus.listen();
    assert!(!bus.is_up());
    fails_at_once(&redis).await;
    server.run().await;
    hears(&mut listener, News::Missed, RECOVERY).await;
    until("the node is there", RECOVERY, || bus.is_up()).await;
    redis.check().await.unwrap();
    assert_eq!(redis.presence().present(tenant(1), now()).await.unwrap(), []);
    drop(bus);
    assert_eq!(time::timeout(RECOVERY, listener.count()).await, Ok(0), "it ends with the bus");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_works_on() {
    let server = Server::start(&[]).await;
    let [(one, told), (two, heard)] = nodes(&server).await;
    let (quota, mut listener) = (Quota::new(1, MINUTE), heard.listen());
    for flush in ["FLUSHALL", "SCRIPT FLUSH"] {
        let (cache, key) = (one.cache(), flush);
        let (put, before) = (cache.get(tenant(1), key).await, cache.get(tenant(1), "b").await);
        let (Ok(Cached::Miss(put)), Ok(Cached::Miss(before))) = (put, before) else {
            panic!("nothing was put");
        };
        let value = Bytes::from_static(b"value");
        cache.put(tenant(1), key, put, value.clone(), MINUTE).await.unwrap();
        one.limits().take("a", quota, now()).await.unwrap();
        server.command(flush);
        let kept = flush == "SCRIPT FLUSH";
        let known = two.cache().get(tenant(1), key).await.unwrap();
        assert_eq!(known == Cached::Hit(value.clone()), kept);
        assert_eq!(two.limits().take("a", quota, now()).await.unwrap().allowed, !kept);
        cache.put(tenant(1), "b", before, value.clone(), MINUTE).await.unwrap();
        let known = two.cache().get(tenant(1), "b").await.unwrap();
        assert_eq!(known == Cached::Hit(value), kept);
        told.tell(News::Jobs);
        hears(&mut listener, News::Jobs, RECOVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_not_put() {
    let server = Server::start(&[]).await;
    let redis = Redis::connect(&server.url()).await.unwrap();
    let cache = redis.cache();
    for (more, known) in [(0, true), (1, false)] {
        let Cached::Miss(ticket) = cache.get(tenant(1), "large").await.unwrap() else {
            panic!("nothing was put");
        };
        let value = Bytes::from(vec![7; crm_redis::RedisCache::MOST_BYTES + more]);
        cache.put(tenant(1), "large", ticket, value.clone(), MINUTE).await.unwrap();
        assert_eq!(cache.get(tenant(1), "large").await.unwrap() == Cached::Hit(value), known);
        cache.forget(tenant(1), &["large".to_owned()]).await.unwrap();
    }
}
