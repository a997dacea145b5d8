//! Clients that follow events: what each costs, how fast they are told, and how many at once.
//!
//! `cargo bench -p crm-benches --bench realtime [-- PART..]`, where a part is one of `idle`, `one`, `many`,
//! `latency`, `reconnects`; all of them where none is named.
//!
//! The server runs in a process of its own, which this program starts from itself: over a SQLite file, or
//! where `CRM_BENCH_DATABASE_URL` names a superuser of a PostgreSQL, over a database of its own there. With
//! `CRM_BENCH_REDIS_URL`, too, the latency through Redis between two servers is measured, and beside the CRM
//! stands a bare axum server that passes on what Redis publishes, with no log: as much as can be had.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench"
)]

mod clients;
mod server;

use std::time::Duration;

use clients::{Client, Told};
use crm_benches::{machine, micros, percentile};
use server::{Peer, Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(role) = server::role() {
        runtime.block_on(role.run());
        return;
    }
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|own| own == part);
    println!("{}", machine());
    runtime.block_on(async {
        let redis = std::env::var("CRM_BENCH_REDIS_URL").ok();
        if wanted("idle") {
            for peer in peers(redis.is_some()) {
                idle(peer, 10_000).await;
            }
        }
        if wanted("one") {
            for peer in peers(redis.is_some()) {
                fan_out(peer, 1, 1_000, 55).await;
            }
        }
        if wanted("many") {
            for peer in peers(redis.is_some()) {
                fan_out(peer, 100, 100, 5).await;
            }
        }
        if wanted("latency") {
            latency().await;
        }
        if wanted("reconnects") {
            reconnects(2_000).await;
        }
    });
}

fn peers(redis: bool) -> Vec<Peer> {
    if redis { vec![Peer::Crm, Peer::Bare] } else { vec![Peer::Crm] }
}

/// What a connection costs that nothing is told.
async fn idle(peer: Peer, connections: usize) {
    let server = Server::start(peer, 1).await;
    // What the first connections bring along is not the cost of one more.
    let mut open = Client::connect_all(&server, &vec![0; 100], &Told::default()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = server.resident();
    open.extend(Client::connect_all(&server, &vec![0; connections], &Told::default()).await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let bytes = (server.resident() - before) as f64 / connections as f64;
    println!("idle, {peer}: {connections} connections, {:.1} KiB each", bytes / 1024.0);
    drop(open);
}

/// `tenants` with so many followers each, told so many events a second each.
async fn fan_out(peer: Peer, tenants: usize, followers: usize, rate: u32) {
    let server = Server::start(peer, tenants).await;
    let of: Vec<usize> = (0..tenants * followers).map(|number| number % tenants).collect();
    let told = Told::default();
    let open = Client::connect_all(&server, &of, &told).await;
    // To warm up.
    server.publish(rate, Duration::from_secs(1)).await;
    told.take();
    let seconds = 8;
    let began = std::time::Instant::now();
    let published = server.publish(rate, Duration::from_secs(seconds)).await;
    let expected = published * followers;
    let all = told.wait_for(expected, Duration::from_secs(20)).await;
    let took = began.elapsed().as_secs_f64();
    let (p50, p99) = (percentile(&all, 50), percentile(&all, 99));
    println!(
        "{tenants} x {followers}, {peer}: {} of {expected} deliveries, {:.0}/s, p50 {}, p99 {}",
        all.len(),
        all.len() as f64 / took,
        micros(p50),
        micros(p99)
    );
    drop(open);
}

/// From the beginning of a commit to the client.
async fn latency() {
    let server = Server::start(Peer::Crm, 1).await;
    from_commit("on one node", &server, &server).await;
    if std::env::var_os("CRM_BENCH_REDIS_URL").is_some() && server.is_shared() {
        let other = server.second().await;
        from_commit("through Redis", &server, &other).await;
    }
}

async fn from_commit(way: &str, writer: &Server, reader: &Server) {
    let told = Told::default();
    let open = Client::connect_all(reader, &[0; 100], &told).await;
    writer.publish(20, Duration::from_secs(1)).await;
    told.take();
    let published = writer.publish(50, Duration::from_secs(10)).await;
    let all = told.wait_for(published * open.len(), Duration::from_secs(10)).await;
    println!(
        "commit to client {way}: 100 followers, 50 commits/s, {} deliveries, p50 {}, p99 {}",
        all.len(),
        micros(percentile(&all, 50)),
        micros(percentile(&all, 99))
    );
}

/// Clients that come back and are told what they missed.
async fn reconnects(count: usize) {
    let server = Server::start(Peer::Crm, 1).await;
    let position = Client::position(&server).await;
    server.publish(100, Duration::from_millis(100)).await;
    let began = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let (server, position) = (std::sync::Arc::new(server), std::sync::Arc::new(position));
    let next = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..64 {
        let (server, position, next) = (server.clone(), position.clone(), next.clone());
        tasks.spawn(async move {
            while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < count {
                Client::come_back(&server, &position).await;
            }
        });
    }
    tasks.join_all().await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("reconnects, each with a ticket and what was missed: {rate:.0}/s");
}
