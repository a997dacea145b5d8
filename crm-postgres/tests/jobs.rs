//! The queue beside itself: claims that meet, leases that are lost, connections that die.
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

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crm_conformance::{SeededRandomness, TestClock};
use crm_core::jobs::{AtWork, Claim, ClaimedJob, JobEnd, JobQuery, NewJob, Next, Settlement};
use crm_core::memory::MemoryStore;
use crm_core::ports::{Clock as _, JobStore as _, Store};
use crm_core::{Crm, ErrorKind, JobId, Session, SystemScope, TenantId};
use crm_postgres::{Options, PostgresStore};
use sqlx::PgConnection;
use support::{TestDatabase, connect, run};
use tenants::{Random, number, person};

const SECOND: i64 = 1_000_000;

/// A CRM over a store, whose time stands still.
#[derive(Clone)]
struct Place {
    store: PostgresStore,
    crm: Crm,
    clock: TestClock,
    scope: SystemScope,
    database: Arc<TestDatabase>,
}

impl Place {
    async fn new() -> Place {
        let (store, database) = stores::fresh(Options::default()).await;
        let clock = TestClock::default();
        let crm = Crm::builder(store.clone()).clock(clock.clone()).build().unwrap();
        let scope = crm.system("test").unwrap().scope().clone();
        Place { store, crm, clock, scope, database: Arc::new(database) }
    }

    async fn admin(&self) -> PgConnection {
        connect(&self.database.admin_url()).await
    }

    async fn claimed(&self, limit: usize) -> Vec<ClaimedJob> {
        let claim = claim(&self.clock, limit, None);
        self.store.claim_jobs(&self.scope, &claim).await.unwrap()
    }

    async fn done(&self, jobs: &[ClaimedJob]) {
        let done: Vec<Settlement> =
            jobs.iter().map(|job| Settlement { lease: job.lease, end: JobEnd::Done }).collect();
        self.store.settle_jobs(&self.scope, &done, self.clock.now()).await.unwrap();
    }

    /// Lets a worker make a contact in the commit that ends its job, after `before`; returns what it was
    /// answered.
    async fn make_at_work<F>(
        &self,
        before: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Option<ErrorKind>
    where
        F: Future<Output = ()> + Send,
    {
        let refused = Arc::new(Mutex::new(None));
        let told = Arc::clone(&refused);
        let worker = self.crm.worker().handle("work", move |job: AtWork| {
            let (before, told) = (before.clone(), Arc::clone(&told));
            async move {
                before().await;
                let made = job.session().contacts().create(person("made", 0)).await;
                *told.lock().unwrap() = made.as_ref().err().map(crm_core::Error::kind);
                made.map(|_| Next::Done)
            }
        });
        worker.run_due().await.unwrap();
        *refused.lock().unwrap()
    }
}

fn claim(clock: &TestClock, limit: usize, after: Option<TenantId>) -> Claim {
    let now = clock.now();
    let kinds = vec!["work".parse().unwrap(), "play".parse().unwrap()];
    Claim { kinds, limit, after, now, until: now.saturating_add_micros(30 * SECOND) }
}

fn work() -> NewJob {
    // A character that the database keeps in no text.
    NewJob::new("work", &serde_json::json!({ "what": "\0" })).unwrap()
}

async fn until_waiting(admin: &mut PgConnection) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                   and usename = 'crm_app' and wait_event_type = 'Lock'";
    let began = Instant::now();
    while number(admin, waiting).await < 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody waits");
    }
}

/// Ready jobs of a tenant, written past the application.
async fn backlog(admin: &mut PgConnection, session: &Session, jobs: usize) {
    let sql = format!(
        "insert into crm.jobs (tenant_id, id, kind, state, priority, run_at, max_attempts, request_id,
                               created_at, payload, attempts)
         select '{}', gen_random_uuid(), 'work', 'ready', 0,
                '2026-01-01'::timestamptz + n * interval '1 millisecond', 5, 'test', '2026-01-01', '{{}}', 0
         from generate_series(1, {jobs}) as n",
        session.scope().tenant()
    );
    run(admin, sql).await;
}

// ---- the oracle ----

/// Random work on the queue of three tenants, here and in memory, with one time and one randomness.
#[tokio::test]
async fn the_queue_answers_as_the_one_in_memory() {
    for _ in 0..5 {
        compare(&mut Random::seeded()).await;
    }
}

async fn compare(random: &mut Random) {
    let place = Place::new().await;
    let clock = place.clock.clone();
    let seed = random.below(u64::MAX);
    let memory = MemoryStore::default();
    let stores: [&dyn Store; 2] = [&memory, &place.store];
    let builders = [Crm::builder(memory.clone()), Crm::builder(place.store.clone())];
    let crms = builders.map(|builder| {
        let randomness = SeededRandomness::new(seed);
        builder.clock(clock.clone()).randomness(randomness).build().unwrap()
    });
    let mut sessions: Vec<Vec<Session>> = Vec::new();
    for crm in &crms {
        let mut own = Vec::new();
        for slug in ["one", "two", "three"] {
            own.push(tenants::tenant(crm, slug).await);
        }
        sessions.push(own);
    }
    let mut held: Vec<ClaimedJob> = Vec::new();
    for step in 0..400 {
        clock.advance_micros((random.below(8) * 1_000_000).cast_signed());
        let tenant = random.below(3) as usize;
        let choice = random.below(10);
        let (one, other, more) = (random.below(4), random.below(4), random.below(6));
        let mut answers = Vec::new();
        for store in 0..2 {
            let session = &sessions[store][tenant];
            let scope = &place.scope;
            let now = clock.now();
            let lease = |number: u64| held.get(number as usize).map(|job| job.lease);
            let answer = match choice {
                0..4 => {
                    let kind = if one == 0 { "play" } else { "work" };
                    let mut new = NewJob::new(kind, &(step, "\0")).unwrap().attempts(2);
                    new = new.priority(other as i16 - 2);
                    if more < 3 {
                        new = new.unique(format!("key {more}"));
                    }
                    if one == 3 {
                        new = new.at(now.saturating_add_micros(5 * SECOND));
                    }
                    let jobs = vec![new, work()];
                    format!("{:?}", session.jobs().enqueue_all(jobs).await)
                }
                4..7 => {
                    let after =
                        (one > 1).then(|| sessions[store][other as usize % 3].scope().tenant());
                    let claim = claim(&clock, more as usize * 2, after);
                    let claimed = stores[store].claim_jobs(scope, &claim).await.unwrap();
                    let text = format!("{claimed:#?}");
                    if store == 1 {
                        held.extend(claimed);
                    }
                    text
                }
                7 => {
                    let leases: Vec<_> = [one, other, more].into_iter().filter_map(lease).collect();
                    let until = now.saturating_add_micros(20 * SECOND);
                    let mut kept =
                        stores[store].keep_jobs(scope, &leases, now, until).await.unwrap();
                    kept.sort_by_key(|lease| lease.job);
                    kept.dedup();
                    format!("{kept:?}")
                }
                8 => {
                    let later = now.saturating_add_micros((more as i64 - 2) * 4 * SECOND);
                    let ends = [
                        JobEnd::Done,
                        JobEnd::Snooze(later),
                        JobEnd::Retry(later, "it \0 failed".into()),
                        JobEnd::Dead("it is over".into()),
                    ];
                    let mut settlements: Vec<Settlement> = (0..held.len() as u64)
                        .filter(|number| number % 3 != other % 3)
                        .filter_map(lease)
                        .zip(ends.into_iter().cycle().skip(one as usize))
                        .map(|(lease, end)| Settlement { lease, end })
                        .collect();
                    // Of two with one key the first stays: in memory that of the list, here the least.
                    settlements.sort_by_key(|one| (one.lease.tenant, one.lease.job));
                    stores[store].settle_jobs(scope, &settlements, now).await.unwrap();
                    if store == 1 {
                        held.drain(..held.len() / 2);
                    }
                    String::new()
                }
                _ => {
                    let query = JobQuery {
                        state: Some(crm_core::jobs::JobState::Dead),
                        limit: 5,
                        ..JobQuery::default()
                    };
                    let dead = stores[store].jobs(session.scope(), &query).await.unwrap();
                    let mut told = format!("{dead:?}");
                    if let Some(job) = dead.first() {
                        told += &match one {
                            0 => format!("{:?}", session.jobs().discard(job.id).await),
                            _ => format!("{:?}", session.jobs().retry(job.id).await),
                        };
                    }
                    told
                }
            };
            let query = JobQuery { limit: 1000, ..JobQuery::default() };
            let all = stores[store].jobs(session.scope(), &query).await.unwrap();
            answers.push(format!("{answer}\n{all:#?}"));
        }
        assert_eq!(answers[0], answers[1], "step {step}, choice {choice}");
    }
}

// ---- claims that meet ----

#[tokio::test]
async fn another_tenants_job_is_claimed_beside_a_hundred_thousand() {
    let place = Place::new().await;
    let mut admin = place.admin().await;
    let (many, one) =
        (tenants::tenant(&place.crm, "many").await, tenants::tenant(&place.crm, "one").await);
    // What the planner makes of an empty table must do for a full one.
    assert!(place.claimed(50).await.is_empty());
    backlog(&mut admin, &many, 100_000).await;
    one.jobs().enqueue(work()).await.unwrap();
    let claimed = place.claimed(50).await;
    assert_eq!(claimed.len(), 50);
    let of_one = claimed.iter().filter(|job| job.lease.tenant == one.scope().tenant());
    assert_eq!(of_one.count(), 1);
    place.done(&claimed).await;

    let (mut claiming, mut settling) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..100 {
        let began = Instant::now();
        let claimed = place.claimed(50).await;
        claiming += began.elapsed();
        assert_eq!(claimed.len(), 50);
        let began = Instant::now();
        place.done(&claimed).await;
        settling += began.elapsed();
    }
    eprintln!("5,000 of 100,000 jobs: claimed in {claiming:?}, settled in {settling:?}");
    assert!(claiming / 100 < Duration::from_millis(200), "{claiming:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_claimers_claim_each_job_once() {
    const JOBS: usize = 2000;
    let place = Place::new().await;
    let mut admin = place.admin().await;
    for slug in ["one", "two"] {
        backlog(&mut admin, &tenants::tenant(&place.crm, slug).await, JOBS / 2).await;
    }
    let claimers: Vec<_> = (0..8)
        .map(|_| {
            let place = place.clone();
            tokio::spawn(async move {
                let mut own = Vec::new();
                loop {
                    let claimed = place.claimed(20).await;
                    if claimed.is_empty() {
                        return own;
                    }
                    own.extend(claimed);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    // Somebody who met only locked rows may have left early; what is left is there for the next.
    all.extend(place.claimed(JOBS).await);
    assert!(all.iter().all(|job| job.lease.token == 1));
    let ids: BTreeSet<JobId> = all.iter().map(|job| job.lease.job).collect();
    assert_eq!((all.len(), ids.len()), (JOBS, JOBS));
}

// ---- leases that are lost ----

/// Another worker's claim is under way when the unit comes: the unit waits for it, and is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_waits_for_a_claim_under_way_and_is_refused() {
    let place = Place::new().await;
    let session = tenants::tenant(&place.crm, "acme").await;
    session.jobs().enqueue(work()).await.unwrap();
    let mut admin = place.admin().await;
    let other = Arc::new(tokio::sync::Mutex::new(place.admin().await));
    let claiming = Arc::clone(&other);
    let worker = place.clone();
    let unit = tokio::spawn(async move {
        worker
            .make_at_work(move || {
                let claiming = Arc::clone(&claiming);
                async move {
                    let sql = "begin; update crm.jobs set token = token + 1";
                    run(&mut *claiming.lock().await, sql.into()).await;
                }
            })
            .await
    });
    until_waiting(&mut admin).await;
    run(&mut *other.lock().await, "commit".into()).await;
    assert_eq!(unit.await.unwrap(), Some(ErrorKind::Conflict));
    assert_eq!(number(&mut admin, "select count(*) from crm.contacts").await, 0);
    assert_eq!(
        number(&mut admin, "select count(*) from crm.jobs where state = 'running'").await,
        1
    );
}

/// The unit is under way when its lease runs out: nobody claims the job any more, and nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_not_claimed_while_its_unit_is_under_way() {
    let place = Place::new().await;
    let session = tenants::tenant(&place.crm, "acme").await;
    session.jobs().enqueue(work()).await.unwrap();
    let (mut admin, mut holder) = (place.admin().await, place.admin().await);
    run(&mut holder, "begin; lock crm.contacts".into()).await;
    let worker = place.clone();
    let unit = tokio::spawn(async move { worker.make_at_work(|| async {}).await });
    until_waiting(&mut admin).await;
    place.clock.advance_micros(60 * SECOND);
    assert!(place.claimed(10).await.is_empty());
    run(&mut holder, "commit".into()).await;
    assert_eq!(unit.await.unwrap(), None);
    assert_eq!(number(&mut admin, "select count(*) from crm.contacts").await, 1);
    assert_eq!(number(&mut admin, "select count(*) from crm.jobs").await, 0);
}

// ---- connections that die ----

/// A claim that dies has claimed nothing, and is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_connection_dies_claims_once() {
    let place = Place::new().await;
    let session = tenants::tenant(&place.crm, "acme").await;
    session.jobs().enqueue(work()).await.unwrap();
    assert_eq!(place.claimed(1).await[0].lease.token, 1);
    place.clock.advance_micros(60 * SECOND);
    let (mut admin, mut holder) = (place.admin().await, place.admin().await);
    // It has freed the job by now, and wants to know the region.
    run(&mut holder, "begin; lock crm.tenants".into()).await;
    let claimer = place.clone();
    let claimed = tokio::spawn(async move { claimer.claimed(10).await });
    for _ in 0..3 {
        until_waiting(&mut admin).await;
        let killed = "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity
            where datname = current_database() and usename = 'crm_app' and wait_event_type = 'Lock'";
        number(&mut admin, killed).await;
    }
    until_waiting(&mut admin).await;
    assert_eq!(
        number(&mut admin, "select count(*) from crm.jobs where token = 1 and state = 'running'")
            .await,
        1
    );
    run(&mut holder, "commit".into()).await;
    let claimed = claimed.await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].lease.token, claimed[0].job.attempts), (2, 2));
}

// ---- the setting that names the work ----

/// In a transaction of the host's, the queue's rights end with the queue's statement.
#[tokio::test]
async fn work_on_the_queue_leaves_no_rights_behind() {
    let place = Place::new().await;
    let session = tenants::tenant(&place.crm, "acme").await;
    session.jobs().enqueue(work()).await.unwrap();
    let mut app = connect(&place.database.url_as("crm_app")).await;
    run(&mut app, "begin".into()).await;
    for call in [
        "claim_jobs('test', '{work}', 5, '00000000-0000-0000-0000-000000000000', now(), now())",
        "keep_jobs('test', '{}', '{}', '{}', now(), now())",
        "settle_jobs('test', '{}', '{}', '{}', '{}', '{}', '{}', now())",
        "schedules_due('test', now(), 5)",
    ] {
        run(&mut app, format!("select * from crm.{call}")).await;
        assert_eq!(number(&mut app, "select count(*) from crm.jobs").await, 0, "{call}");
    }
}
