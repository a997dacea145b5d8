//! The server dies at any moment: what was acknowledged is there, nothing is half there, nothing is doubled.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod stores;
mod support;
mod tenants;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crm_core::contacts::Contact;
use crm_core::{ContactId, ErrorKind, Session};
use crm_postgres::{Installation, Options, PostgresStore, Protocol};
use sqlx::PgConnection;
use support::proxy::Proxy;
use support::server::OwnServer;
use support::{TestDatabase, connect};
use tenants::{Random, crm, number, person, tenant, titled, whole};

const CALLERS: usize = 8;
/// How long a call may take to say that the server is gone.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// How long after the server's return a call may still fail.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// What callers have been told, and how long the failures took.
#[derive(Default)]
struct Told {
    /// The last version of each contact that was acknowledged.
    versions: Mutex<HashMap<ContactId, i64>>,
    answers: AtomicUsize,
    failures: AtomicUsize,
    slowest: Mutex<Duration>,
    over: AtomicBool,
}

impl Told {
    fn hear(&self, began: Instant, answer: Result<Contact, crm_core::Error>) -> Option<Contact> {
        match answer {
            Ok(contact) => {
                self.answers.fetch_add(1, Ordering::SeqCst);
                self.versions.lock().unwrap().insert(contact.id, contact.version);
                Some(contact)
            }
            Err(error) => {
                let took = began.elapsed();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                assert!(error.is_retryable());
                self.failures.fetch_add(1, Ordering::SeqCst);
                let mut slowest = self.slowest.lock().unwrap();
                *slowest = took.max(*slowest);
                None
            }
        }
    }
}

/// Callers that create and update contacts until they are told that it is over.
fn callers(session: &Session, told: &Arc<Told>) -> Vec<tokio::task::JoinHandle<()>> {
    (0..CALLERS)
        .map(|caller| {
            let (session, told) = (session.clone(), Arc::clone(told));
            tokio::spawn(async move {
                let who = format!("caller{caller}x");
                let mut made = 0;
                while !told.over.load(Ordering::SeqCst) {
                    made += 1;
                    let began = Instant::now();
                    let answer = session.contacts().create(person(&who, made)).await;
                    let Some(contact) = told.hear(began, answer) else { continue };
                    let began = Instant::now();
                    let update = titled(format!("T{made}"));
                    // From this version: a unit that is applied twice would be refused.
                    let version = Some(contact.version);
                    told.hear(began, session.contacts().update(contact.id, update, version).await);
                }
            })
        })
        .collect()
}

/// Everything acknowledged is there, at the version of which its caller was told or, where the next
/// answer was lost, one beyond; everything is whole.
async fn all_there(admin: &mut PgConnection, told: &Told) {
    let stored: HashMap<uuid::Uuid, i64> = sqlx::query_as("select id, version from crm.contacts")
        .fetch_all(&mut *admin)
        .await
        .unwrap()
        .into_iter()
        .collect();
    for (id, version) in told.versions.lock().unwrap().iter() {
        let found = stored.get(&id.as_uuid()).copied().unwrap_or_default();
        assert!((*version..=version + 1).contains(&found), "{id}: {version} told, {found} stored");
    }
    let contacts = whole(admin).await;
    let told_of = told.versions.lock().unwrap().len() as i64;
    let lost = contacts - told_of;
    let failures = told.failures.load(Ordering::SeqCst) as i64;
    assert!((0..=failures).contains(&lost), "{lost} stored of which nobody was told");
}

/// Waits until so many more calls were answered.
async fn answers(told: &Told, more: usize, within: Duration) {
    let before = told.answers.load(Ordering::SeqCst);
    let began = Instant::now();
    while told.answers.load(Ordering::SeqCst) < before + more {
        assert!(began.elapsed() < within, "{more} answers did not come within {within:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Ends the server under load and starts it again, so many times.
async fn crash(rounds: usize) {
    let mut random = Random::seeded();
    let server = OwnServer::start();
    let (admin_url, url) = (server.url_as("postgres"), server.url_as("crm_app"));
    Installation::default().run(&admin_url).await.unwrap();
    let store = PostgresStore::connect(&url).await.unwrap();
    let session = tenant(&crm(&store), "acme").await;
    let told = Arc::new(Told::default());
    let callers = callers(&session, &told);
    let mut slowest_return = Duration::ZERO;
    for round in 0..rounds {
        answers(&told, 20 + random.below(60) as usize, BACK_WITHIN).await;
        let failures = told.failures.load(Ordering::SeqCst);
        if round % 2 == 0 {
            server.kill_9()
        } else {
            server.stop_immediate()
        };
        // The server is down: every caller is told so.
        while told.failures.load(Ordering::SeqCst) < failures + 2 * CALLERS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.restart();
        let back = Instant::now();
        answers(&told, 2 * CALLERS, BACK_WITHIN).await;
        slowest_return = slowest_return.max(back.elapsed());
    }
    told.over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    let slowest = *told.slowest.lock().unwrap();
    eprintln!(
        "{} answers, {} failures, the slowest after {slowest:?}; work goes on after {slowest_return:?}",
        told.answers.load(Ordering::SeqCst),
        told.failures.load(Ordering::SeqCst),
    );
    assert!(slowest < TOLD_WITHIN, "a call took {slowest:?} to fail");
    all_there(&mut connect(&admin_url).await, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_servers_death() {
    crash(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100 deaths of a server"]
async fn long_what_was_acknowledged_survives_the_servers_death() {
    crash(100).await;
}

/// Terminates all connections of the application under load, so many times.
async fn terminate(through_pgbouncer: bool, rounds: usize) {
    let database = TestDatabase::create(Some(&stores::migrated().await)).await;
    let store = if through_pgbouncer {
        let options = Options::default().protocol(Protocol::Simple);
        PostgresStore::connect_with(&database.bouncer_url_as("crm_app"), options).await.unwrap()
    } else {
        PostgresStore::connect(&database.url_as("crm_app")).await.unwrap()
    };
    let session = tenant(&crm(&store), "acme").await;
    let mut admin = connect(&database.admin_url()).await;
    let told = Arc::new(Told::default());
    let callers = callers(&session, &told);
    let mut terminated = 0;
    for _ in 0..rounds {
        answers(&told, 2 * CALLERS, BACK_WITHIN).await;
        terminated += number(
            &mut admin,
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and usename = 'crm_app'",
        )
        .await;
    }
    answers(&told, 2 * CALLERS, BACK_WITHIN).await;
    told.over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    eprintln!(
        "{terminated} connections terminated, {} answers, {} failures",
        told.answers.load(Ordering::SeqCst),
        told.failures.load(Ordering::SeqCst),
    );
    assert!(terminated >= rounds as i64);
    all_there(&mut admin, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_lose_nothing() {
    terminate(false, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_behind_pgbouncer_lose_nothing() {
    terminate(true, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 2,000 times all connections"]
async fn long_terminated_connections_lose_nothing() {
    terminate(false, 1000).await;
    terminate(true, 1000).await;
}

// ---- answers that are lost ----

/// A store that is reached through a wire to be cut.
async fn behind_a_wire() -> (Session, Proxy, PgConnection, TestDatabase) {
    let database = TestDatabase::create(Some(&stores::migrated().await)).await;
    let url = database.url_as("crm_app");
    let proxy = Proxy::start(&url).await;
    let options = Options::default().connections(1);
    let store = PostgresStore::connect_with(&proxy.url(&url), options).await.unwrap();
    let session = tenant(&crm(&store), "acme").await;
    // What this needs is prepared from now on.
    session.contacts().create(person("warm", 0)).await.unwrap();
    let admin = connect(&database.admin_url()).await;
    (session, proxy, admin, database)
}

/// The n-th answer of an operation is lost, for every n: that of a look-up, of what is prepared, of the commit.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_applied_once() {
    let (session, proxy, mut admin, _database) = behind_a_wire().await;
    let contacts = session.contacts();
    let mut cuts = 0;
    for lost in 1..=8 {
        proxy.cut_before_reply(lost);
        let made = contacts.create(person("lost", lost)).await.unwrap();
        cuts += usize::from(!proxy.awaits_cut());
        proxy.cut_before_reply(lost);
        assert_eq!(contacts.update(made.id, titled("T"), Some(1)).await.unwrap().version, 2);
        cuts += usize::from(!proxy.awaits_cut());
        proxy.cut_before_reply(lost);
        assert_eq!(contacts.delete(made.id, Some(2)).await.unwrap().version, 3);
        cuts += usize::from(!proxy.awaits_cut());
        assert_eq!(whole(&mut admin).await, 1 + lost as i64);
    }
    // One of a create, two of an update and of a delete.
    assert!(cuts >= 5, "{cuts} answers were lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_does_not_try_one_dead_connection_after_the_other() {
    const CONNECTIONS: usize = 16;
    let database = TestDatabase::create(Some(&stores::migrated().await)).await;
    let url = database.url_as("crm_app");
    let proxy = Proxy::start(&url).await;
    let options = Options::default().connections(CONNECTIONS);
    let store = PostgresStore::connect_with(&proxy.url(&url), options).await.unwrap();
    let session = tenant(&crm(&store), "acme").await;
    let made = session.contacts().create(person("made", 0)).await.unwrap();
    let mut admin = connect(&database.admin_url()).await;
    // Held at once, so that each has a connection of its own.
    let mut holder = connect(&database.admin_url()).await;
    support::run(&mut holder, "begin; lock crm.contacts".into()).await;
    let reads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.contacts().get(made.id).await })
        })
        .collect();
    until_waiting(&mut admin, CONNECTIONS as i64).await;
    support::run(&mut holder, "commit".into()).await;
    for read in reads {
        read.await.unwrap().unwrap();
    }
    proxy.cut().await;
    session.contacts().get(made.id).await.unwrap();
}

/// The first attempt is still at work on the server when it is repeated: both wait for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_repeated_beside_itself_is_applied_once() {
    let (session, proxy, mut admin, database) = behind_a_wire().await;
    let held = session.contacts().create(person("held", 0)).await.unwrap();
    let mut holder = connect(&database.admin_url()).await;
    for (round, lock) in ["lock crm.contacts in share mode", "lock crm.audit in share mode"]
        .into_iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        support::run(&mut holder, format!("begin; {lock}")).await;
        let create = tokio::spawn({
            let session = session.clone();
            async move { session.contacts().create(person("twice", round)).await }
        });
        until_waiting(&mut admin, 1).await;
        proxy.cut().await;
        until_waiting(&mut admin, 2).await;
        support::run(&mut holder, "commit".into()).await;
        create.await.unwrap().unwrap();

        support::run(&mut holder, format!("begin; {lock}")).await;
        let version = round as i64 + 1;
        let update = tokio::spawn({
            let session = session.clone();
            let title = titled(format!("T{round}"));
            async move { session.contacts().update(held.id, title, Some(version)).await }
        });
        until_waiting(&mut admin, 1).await;
        proxy.cut().await;
        until_waiting(&mut admin, 2).await;
        support::run(&mut holder, "commit".into()).await;
        assert_eq!(update.await.unwrap().unwrap().version, version + 1);
        assert_eq!(whole(&mut admin).await, 2 + round as i64 + 1);
    }
}

/// Waits until so many units of the application wait for a lock.
async fn until_waiting(admin: &mut PgConnection, units: i64) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                   and usename = 'crm_app' and wait_event_type = 'Lock'";
    let began = Instant::now();
    while number(admin, waiting).await < units {
        assert!(began.elapsed() < Duration::from_secs(20), "not {units} units wait");
    }
}
