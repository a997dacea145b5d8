//! Units of work beside each other and beside the host's own.
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

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crm_core::contacts::{Contact, ContactFilter, NewContact};
use crm_core::events::{EventPosition, RecordedEvent};
use crm_core::{Changes, EntityRef, ErrorKind, Page, Session};
use crm_postgres::{Options, PostgresStore};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use sqlx::{Connection, PgConnection};
use support::{TestDatabase, connect};
use tenants::{crm, person, tenant, titled, whole};

const PATIENCE: Duration = Duration::from_secs(20);

/// A store with one tenant, and connections to its database beside it.
struct Place {
    store: PostgresStore,
    session: Session,
    database: TestDatabase,
}

impl Place {
    async fn new() -> Place {
        Place::with(Options::default()).await
    }

    async fn with(options: Options) -> Place {
        let (store, database) = stores::fresh(options).await;
        let session = tenant(&crm(&store), "acme").await;
        // A word that is new to the tenant is waited for until it is committed; these are not new.
        let known = vec![person("planned", 1000), person("made", 1000)];
        session.contacts().create_all(known).await.unwrap();
        Place { store, session, database }
    }

    /// A host's connection, of the application's role.
    async fn host(&self) -> PgConnection {
        connect(&self.database.url_as("crm_app")).await
    }

    async fn admin(&self) -> PgConnection {
        connect(&self.database.admin_url()).await
    }

    async fn plan(&self, number: usize) -> (Contact, Changes) {
        self.session.contacts().plan_create(person("planned", number)).await.unwrap()
    }

    async fn create(&self, number: usize) -> Contact {
        self.session.contacts().create(person("made", number)).await.unwrap()
    }

    async fn is_there(&self, contact: &Contact) -> bool {
        match self.session.contacts().get(contact.id).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                false
            }
        }
    }

    /// What a reader sees who comes back with the position of the last event that it has seen.
    async fn events(&self, seen: &mut Vec<RecordedEvent>) -> Vec<EntityRef> {
        let after = seen.last().map_or(EventPosition::START, |last| last.position);
        let new = self.session.events().after(after, 1000).await.unwrap();
        let subjects = new.iter().map(|one| one.event.subject).collect();
        seen.extend(new);
        assert!(seen.is_sorted_by(|a, b| a.position < b.position));
        subjects
    }
}

fn subjects<const N: usize>(contacts: [&Contact; N]) -> [EntityRef; N] {
    contacts.map(|contact| contact.id.into())
}

// ---- the host's transaction ----

#[tokio::test]
async fn the_hosts_row_and_a_contact_are_kept_together_or_not_at_all() {
    let place = Place::new().await;
    let mut admin = place.admin().await;
    support::run(&mut admin, "create table public.orders (customer uuid); grant select, insert on public.orders to crm_app".into()).await;
    let mut host = place.host().await;
    for (number, keep) in [(0, false), (1, true)] {
        let (contact, changes) = place.plan(number).await;
        let mut transaction = host.begin().await.unwrap();
        sqlx::query("insert into public.orders values ($1)")
            .bind(contact.id.as_uuid())
            .execute(&mut *transaction)
            .await
            .unwrap();
        place.store.commit_in(&mut transaction, changes).await.unwrap();
        assert_eq!(tenant_of(&mut transaction).await, "");
        assert!(!place.is_there(&contact).await, "before the host's commit");
        if keep {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(place.is_there(&contact).await, keep);
        assert_eq!(
            tenants::number(&mut admin, "select count(*) from public.orders").await,
            number as i64
        );
    }
    assert_eq!(whole(&mut admin).await, 2 + 1);
}

/// The tenant that a transaction of the host has been given.
async fn tenant_of(transaction: &mut PgConnection) -> String {
    sqlx::query_scalar("select coalesce(current_setting('crm.tenant_id', true), '')")
        .fetch_one(transaction)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_refused_change_leaves_the_hosts_transaction_usable() {
    let place = Place::new().await;
    place.create(0).await;
    let (_, stale) = {
        let (planned, changes) = place.plan(1).await;
        place.session.contacts().create(person("planned", 1)).await.unwrap();
        (planned, changes)
    };
    let mut host = place.host().await;
    let mut transaction = host.begin().await.unwrap();
    let (before, changes) = place.plan(2).await;
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    let refused = place.store.commit_in(&mut transaction, stale).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused:?}");
    assert_eq!(tenant_of(&mut transaction).await, "");
    let (after, changes) = place.plan(3).await;
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(place.is_there(&before).await && place.is_there(&after).await);
    assert_eq!(whole(&mut place.admin().await).await, 2 + 4);
    let mut seen = Vec::new();
    assert!(place.events(&mut seen).await.ends_with(&subjects([&before, &after])));
}

// ---- locks ----

/// A store of the same tenant on connections with a setting of their own.
async fn set(place: &Place, setting: &str, options: Options) -> Session {
    let url = format!("{}?options=-c%20{setting}", place.database.url_as("crm_app"));
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    let system = crm(&store).system("test").unwrap();
    system.session(place.session.scope().tenant()).await.unwrap()
}

/// Waits until so many units of the application wait for a lock.
async fn until_waiting(admin: &mut PgConnection, units: i64) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                   and usename = 'crm_app' and wait_event_type = 'Lock'";
    let began = Instant::now();
    while tenants::number(admin, waiting).await < units {
        assert!(began.elapsed() < PATIENCE, "not {units} units wait");
    }
}

/// A transaction of somebody else that holds a contact's row.
const HOLD: &str = "begin; update crm.contacts set version = version";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gave_way_to_a_serialization_failure_is_repeated() {
    let place = Place::new().await;
    let made = place.create(0).await;
    let isolation = "default_transaction_isolation%3Drepeatable%5C%20read";
    let session = set(&place, isolation, Options::default()).await;
    let (mut admin, mut holder) = (place.admin().await, place.admin().await);
    support::run(&mut holder, HOLD.into()).await;
    let update = tokio::spawn(async move {
        session.contacts().update(made.id, titled("Countess"), Some(made.version)).await
    });
    until_waiting(&mut admin, 1).await;
    // Changed meanwhile, though not in what the unit goes by.
    support::run(&mut holder, "commit".into()).await;
    assert_eq!(update.await.unwrap().unwrap().version, 2);
    assert_eq!(whole(&mut admin).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gave_way_to_a_deadlock_is_repeated() {
    let place = Place::new().await;
    let made = place.create(0).await;
    let (mut admin, mut holder) = (place.admin().await, place.admin().await);
    // The other never gives way itself.
    let key = "set deadlock_timeout = '1h'; begin;
        insert into crm.contact_keys select tenant_id, 0, 'new@people.example', contact_id, true
        from crm.contact_keys limit 1";
    support::run(&mut holder, key.into()).await;
    let session = place.session.clone();
    let update = tokio::spawn(async move {
        let patch = serde_json::json!({ "emails": [{ "address": "new@people.example" }] });
        let patch = serde_json::from_value(patch).unwrap();
        session.contacts().update(made.id, patch, Some(made.version)).await
    });
    // It has the contact's row and wants the e-mail; the other has the e-mail and wants the row.
    until_waiting(&mut admin, 1).await;
    support::run(&mut holder, "update crm.contacts set version = version; rollback".into()).await;
    assert_eq!(update.await.unwrap().unwrap().version, 2);
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    let began = Instant::now();
    // Counted a moment later.
    while tenants::number(&mut admin, deadlocks).await == 0 {
        assert!(began.elapsed() < PATIENCE, "there was no deadlock");
    }
    assert_eq!(whole(&mut admin).await, 3);
}

#[tokio::test]
async fn a_lock_held_too_long_is_an_error_in_time_and_no_more() {
    let place = Place::new().await;
    let made = place.create(0).await;
    let session = set(&place, "lock_timeout%3D200", Options::default()).await;
    let mut holder = place.admin().await;
    support::run(&mut holder, HOLD.into()).await;
    let began = Instant::now();
    let error = session.contacts().update(made.id, titled("Countess"), None).await.unwrap_err();
    let waited = began.elapsed();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.message(), "the record is locked by another transaction for too long");
    assert!(error.is_retryable());
    assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(session.contacts().get(made.id).await.unwrap(), made, "readers do not wait");
    support::run(&mut holder, "rollback".into()).await;
    session.contacts().update(made.id, titled("Countess"), None).await.unwrap();
    assert_eq!(whole(&mut holder).await, 3);
}

// ---- connections ----

/// Counts what is recorded as the time for which callers waited for a connection.
#[derive(Default)]
struct Waits(Arc<Mutex<Vec<f64>>>);

struct Wait(Arc<Mutex<Vec<f64>>>);

impl metrics::HistogramFn for Wait {
    fn record(&self, seconds: f64) {
        self.0.lock().unwrap().push(seconds);
    }
}

impl metrics::Recorder for Waits {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        assert_eq!(key.name(), "crm_postgres_connection_wait_seconds");
        Histogram::from_arc(Arc::new(Wait(Arc::clone(&self.0))))
    }
}

/// On one thread, which is the recorder's.
#[tokio::test]
async fn callers_beyond_the_connections_wait_and_are_told() {
    let waits = Waits::default();
    let _recorder = metrics::set_default_local_recorder(&waits);
    let timeout = Duration::from_millis(300);
    let place = Place::with(Options::default().connections(2).wait_timeout(timeout)).await;
    let made = place.create(0).await;
    let (mut admin, mut holder) = (place.admin().await, place.admin().await);
    support::run(&mut holder, HOLD.into()).await;
    let updates: Vec<_> = (0..2)
        .map(|_| {
            let session = place.session.clone();
            let update =
                async move { session.contacts().update(made.id, titled("Countess"), None).await };
            tokio::spawn(update)
        })
        .collect();
    until_waiting(&mut admin, 2).await;
    waits.0.lock().unwrap().clear();
    let began = Instant::now();
    let error = place.session.contacts().get(made.id).await.unwrap_err();
    let waited = began.elapsed();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.message(), "all connections to the database are busy");
    assert!(error.is_retryable());
    assert!(waited >= timeout && waited < timeout + Duration::from_secs(3), "{waited:?}");
    let recorded = waits.0.lock().unwrap().last().copied().unwrap();
    assert!(recorded >= timeout.as_secs_f64(), "{recorded}");

    support::run(&mut holder, "rollback".into()).await;
    for update in updates {
        update.await.unwrap().unwrap();
    }
    place.session.contacts().get(made.id).await.unwrap();
}

#[tokio::test]
async fn sessions_that_may_lag_read_from_the_replica() {
    let place = Place::new().await;
    let made = place.create(0).await;
    let tenant = place.session.scope().tenant();
    let Place { store, session, database } = place;
    drop((store, session));
    // A copy that lags behind by one contact.
    let copy = TestDatabase::create(Some(database.name())).await;
    let forget = format!(
        "delete from crm.activities where contact_id = '{id}';
         delete from crm.contact_keys where contact_id = '{id}';
         delete from crm.contacts where id = '{id}'",
        id = made.id
    );
    support::run(&mut connect(&copy.admin_url()).await, forget).await;

    let nowhere = "postgres://crm_app@127.0.0.1:1/nowhere".to_owned();
    for (replica, lags) in [(copy.url_as("crm_app"), true), (nowhere, false)] {
        let options = Options::default().replica(replica);
        let url = database.url_as("crm_app");
        let store = PostgresStore::connect_with(&url, options).await.unwrap();
        let session = crm(&store).system("test").unwrap().session(tenant).await.unwrap();
        assert_eq!(session.contacts().get(made.id).await.unwrap(), made);
        let count = async |session: &Session| {
            session.contacts().count(&ContactFilter::default()).await.unwrap()
        };
        assert_eq!(count(&session).await, 3);
        let report = session.lagging();
        let found = report.contacts().get(made.id).await;
        assert_eq!(found.is_err(), lags, "{found:?}");
        assert_eq!(count(&report).await, if lags { 2 } else { 3 });
    }
}

// ---- events ----

#[tokio::test]
async fn a_reader_of_events_never_skips_a_late_commit() {
    let place = Place::new().await;
    let mut seen = Vec::new();
    place.events(&mut seen).await;
    let mut host = place.host().await;
    let (early, changes) = place.plan(0).await;
    let mut transaction = host.begin().await.unwrap();
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    let late = [place.create(1).await, place.create(2).await];
    assert_eq!(place.events(&mut seen).await, [], "an earlier one is still open");
    transaction.commit().await.unwrap();
    assert_eq!(place.events(&mut seen).await, subjects([&early, &late[0], &late[1]]));

    // Undone, it holds nobody up.
    let (_, changes) = place.plan(3).await;
    let mut transaction = host.begin().await.unwrap();
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    let last = place.create(4).await;
    assert_eq!(place.events(&mut seen).await, []);
    transaction.rollback().await.unwrap();
    assert_eq!(place.events(&mut seen).await, subjects([&last]));
}

/// The number of a transaction is given with its first write, which may be the host's own, long before.
#[tokio::test]
async fn a_transaction_that_wrote_before_its_commit_is_not_skipped_either() {
    let place = Place::new().await;
    support::run(
        &mut place.admin().await,
        "create table public.orders (); grant insert on public.orders to crm_app".into(),
    )
    .await;
    let mut seen = Vec::new();
    place.events(&mut seen).await;
    let mut host = place.host().await;
    let mut transaction = host.begin().await.unwrap();
    sqlx::query("insert into public.orders default values")
        .execute(&mut *transaction)
        .await
        .unwrap();
    // What a reader sees now comes before whatever the host is going to commit.
    let first = place.create(0).await;
    assert_eq!(place.events(&mut seen).await, subjects([&first]));
    let (second, changes) = place.plan(1).await;
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    let third = place.create(2).await;
    let (fourth, changes) = place.plan(3).await;
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    assert_eq!(place.events(&mut seen).await, []);
    transaction.commit().await.unwrap();
    assert_eq!(place.events(&mut seen).await, subjects([&second, &third, &fourth]));
}

#[tokio::test]
async fn a_long_transaction_of_somebody_else_holds_no_events_back() {
    let place = Place::new().await;
    let mut admin = place.admin().await;
    support::run(
        &mut admin,
        "create table public.orders (); grant insert on public.orders to crm_app".into(),
    )
    .await;
    let other = tenant(&crm(&place.store), "other").await;
    let (mut host, mut another) = (place.host().await, place.host().await);
    let mut long = host.begin().await.unwrap();
    sqlx::query("insert into public.orders default values").execute(&mut *long).await.unwrap();
    let (_, changes) = other.contacts().plan_create(person("other", 0)).await.unwrap();
    let mut others = another.begin().await.unwrap();
    place.store.commit_in(&mut others, changes).await.unwrap();

    let mut seen = Vec::new();
    place.events(&mut seen).await;
    let made = place.create(0).await;
    assert_eq!(place.events(&mut seen).await, subjects([&made]));
}

/// The server's locks are seen from all of its databases, and a copy has the same tenants.
#[tokio::test]
async fn a_transaction_in_a_copy_of_the_database_holds_no_events_back() {
    let place = Place::new().await;
    let (store, tenant) = (place.store, place.session.scope().tenant());
    drop((place.session, store));
    let copy = TestDatabase::create(Some(place.database.name())).await;
    let mut sessions = Vec::new();
    for database in [&place.database, &copy] {
        let store = PostgresStore::connect(&database.url_as("crm_app")).await.unwrap();
        let session = crm(&store).system("test").unwrap().session(tenant).await.unwrap();
        sessions.push((store, session));
    }
    let mut host = connect(&copy.url_as("crm_app")).await;
    let mut transaction = host.begin().await.unwrap();
    let (store, session) = &sessions[1];
    let (_, changes) = session.contacts().plan_create(person("planned", 0)).await.unwrap();
    store.commit_in(&mut transaction, changes).await.unwrap();

    let session = &sessions[0].1;
    let made = session.contacts().create(person("made", 0)).await.unwrap();
    let events = session.events().after(EventPosition::START, 1000).await.unwrap();
    assert_eq!(events.last().unwrap().event.subject, made.id.into());
}

#[tokio::test]
async fn a_later_transaction_holds_no_events_back() {
    let place = Place::new().await;
    let create = "create table public.orders (); grant insert on public.orders to crm_app";
    support::run(&mut place.admin().await, create.into()).await;
    let mut seen = Vec::new();
    place.events(&mut seen).await;
    let (mut one, mut two, mut three) =
        (place.host().await, place.host().await, place.host().await);
    let insert = "insert into public.orders default values";
    // Older than the unit, so that the snapshot alone does not tell what is whole.
    let mut before = one.begin().await.unwrap();
    sqlx::query(insert).execute(&mut *before).await.unwrap();
    let made = place.create(0).await;
    // Two that are open, the tenant's the later: its number is beyond all that have ended.
    let mut after = two.begin().await.unwrap();
    sqlx::query(insert).execute(&mut *after).await.unwrap();
    let (later, changes) = place.plan(1).await;
    let mut last = three.begin().await.unwrap();
    place.store.commit_in(&mut last, changes).await.unwrap();
    assert_eq!(place.events(&mut seen).await, subjects([&made]));
    last.commit().await.unwrap();
    assert_eq!(place.events(&mut seen).await, subjects([&later]));
}

/// In an isolation where a transaction sees what was there when it began, it does not see whose have ended since.
#[tokio::test]
async fn a_reader_in_another_isolation_skips_nothing() {
    let place = Place::new().await;
    let mut host = place.host().await;
    let (early, changes) = place.plan(0).await;
    let mut transaction = host.begin().await.unwrap();
    place.store.commit_in(&mut transaction, changes).await.unwrap();
    let late = place.create(1).await;
    let mut reader = place.host().await;
    let mut old = reader.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select 1").execute(&mut *old).await.unwrap();
    transaction.commit().await.unwrap();
    let mut found = Vec::new();
    for _ in 0..2 {
        let rows: Vec<uuid::Uuid> =
            sqlx::query_scalar("select subject_id from crm.events_after($1, 0, 100)")
                .bind(place.session.scope().tenant().as_uuid())
                .fetch_all(&mut *old)
                .await
                .unwrap();
        found.push(rows);
    }
    for rows in found {
        assert!(!rows.contains(&late.id.as_uuid()), "an earlier one has not been seen");
    }
    drop(old);
    let mut seen = Vec::new();
    assert!(place.events(&mut seen).await.ends_with(&subjects([&early, &late])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_writers_and_a_reader() {
    const EACH: usize = 5;
    let place = Arc::new(Place::new().await);
    let mut seen = Vec::new();
    place.events(&mut seen).await;
    let before = seen.len();
    let writers: Vec<_> = (0..100)
        .map(|writer| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                for number in 0..EACH {
                    let number = writer * EACH + number;
                    if !number.is_multiple_of(7) {
                        place.create(number).await;
                        continue;
                    }
                    // Some within transactions of the host.
                    let (_, changes) = place.plan(number).await;
                    let mut host = place.host().await;
                    let mut transaction = host.begin().await.unwrap();
                    place.store.commit_in(&mut transaction, changes).await.unwrap();
                    transaction.commit().await.unwrap();
                }
            })
        })
        .collect();
    let began = Instant::now();
    while seen.len() < before + 100 * EACH {
        place.events(&mut seen).await;
        assert!(began.elapsed() < 3 * PATIENCE, "{} events of {}", seen.len(), 100 * EACH);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(place.events(&mut seen).await, [], "each once");
    let ids: HashSet<_> = seen.iter().map(|one| one.event.id).collect();
    assert_eq!(ids.len(), before + 100 * EACH);
}

// ---- the vocabulary ----

/// One unit takes the last contact with a word away, another brings one.
async fn come_and_go(rounds: usize) {
    let place = Place::new().await;
    let session = &place.session;
    let named = || NewContact::named("Zanzibar", "Quixote");
    let mut last = session.contacts().create(named()).await.unwrap();
    for round in 0..rounds {
        let (gone, come) = tokio::join!(
            tokio::spawn({
                let (session, id) = (session.clone(), last.id);
                async move { session.contacts().delete(id, None).await }
            }),
            tokio::spawn({
                let session = session.clone();
                async move { session.contacts().create(named()).await }
            }),
        );
        gone.unwrap().unwrap();
        last = come.unwrap().unwrap();
        // As written, and misspelt: by the neighbourhood of the word.
        for text in ["zanzibar", "qiuxote"] {
            let hits = session.contacts().search(text, &Page::first(5)).await.unwrap().items;
            let hits: Vec<_> = hits.iter().map(|hit| hit.contact.id).collect();
            assert_eq!(hits, [last.id], "`{text}` in round {round}");
        }
    }
    whole(&mut place.admin().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_comes_as_it_goes_is_found() {
    come_and_go(300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 10,000 rounds"]
async fn long_a_word_that_comes_as_it_goes_is_found() {
    come_and_go(10_000).await;
}
