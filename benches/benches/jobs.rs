//! Jobs and webhooks on both stores.
//!
//! `CRM_BENCH_DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres \
//!     cargo bench -p crm-benches --bench jobs [-- JOBS]`
//!
//! Prints, for SQLite on a disk (`CRM_BENCH_DIR` chooses it) and for the PostgreSQL server where one is
//! named: how many jobs a worker completes a second whose handler takes 1 ms; how long it takes from the
//! commit that enqueues a job to its handler's end at 200 jobs/s; how long a tenant's single job waits behind
//! 100,000 of another's; how many status callbacks a second are taken, from their bytes to the commit.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crm_benches::{machine, micros, percentile};
use crm_core::calls::{Call, StartCall};
use crm_core::contacts::NewContact;
use crm_core::jobs::{NewJob, Next};
use crm_core::ports::{Store, SystemClock};
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount, WebhookRequest};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Region, Session};
use crm_postgres::{Installation, Options, PostgresStore};
use crm_sqlite::SqliteStore;
use crm_twilio::{Twilio, TwilioOptions};
use sqlx::{Connection, PgConnection};
use tokio::sync::oneshot;

const DATABASE: &str = "crm_bench_jobs";
const BACKLOG: usize = 100_000;
const STEADY: Duration = Duration::from_secs(10);
const PER_SECOND: u64 = 200;
const CALLERS: usize = 16;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ACCOUNT: &str = "AC00000000000000000000000000000000";

fn main() {
    let jobs = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(20_000);
    println!("{}", machine());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = std::env::var_os("CRM_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
        let folder = tempfile::tempdir_in(folder).unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.unwrap();
        measure("SQLite", store, jobs / 5).await;
        match std::env::var("CRM_BENCH_DATABASE_URL") {
            Ok(url) => measure("PostgreSQL", server(&url).await, jobs).await,
            Err(_) => println!("PostgreSQL: CRM_BENCH_DATABASE_URL names no server"),
        }
    });
}

async fn server(url: &str) -> PostgresStore {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    let (_, host) = server.rsplit_once('@').expect("a URL with a user");
    let mut admin = PgConnection::connect(url).await.unwrap();
    for sql in
        ["drop database if exists crm_bench_jobs with (force)", "create database crm_bench_jobs"]
    {
        sqlx::raw_sql(sql).execute(&mut admin).await.unwrap();
    }
    Installation::default().run(&format!("{server}/{DATABASE}")).await.unwrap();
    let options = Options::default().connections(CALLERS);
    let app = format!("postgres://crm_app@{host}/{DATABASE}");
    PostgresStore::connect_with(&app, options).await.unwrap()
}

async fn measure(name: &str, store: impl Store, jobs: usize) {
    let crm = Crm::builder(store)
        .clock(SystemClock)
        .telephony(Twilio::new(TwilioOptions::default()).unwrap())
        .public_url("https://crm.example")
        .build()
        .unwrap();
    let (busy, _) = tenant(&crm, "busy").await;
    let (other, _) = tenant(&crm, "other").await;
    println!("\n{name}");
    throughput(&crm, &busy, jobs).await;
    latency(&crm, &busy).await;
    fairness(&crm, &busy, &other).await;
    webhooks(&crm, &other).await;
}

async fn tenant(crm: &Crm, slug: &str) -> (Session, String) {
    let system = crm.system("a bench").unwrap();
    let owner = format!("owner@{slug}.example");
    let new =
        NewTenant { slug: Some(slug.parse().unwrap()), ..NewTenant::new(slug, &owner, Region::US) };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    (system.session(tenant.id).await.unwrap(), owner)
}

async fn enqueue(session: &Session, count: usize) {
    for _ in 0..count.div_ceil(500) {
        let new = (0..500).map(|number| NewJob::new("bench.work", &number).unwrap()).collect();
        session.jobs().enqueue_all(new).await.unwrap();
    }
}

/// Runs a worker while `work` is done.
async fn with_worker<T>(
    crm: &Crm,
    handle: impl Fn(u64) + Clone + Send + Sync + 'static,
    work: impl Future<Output = T>,
) -> T {
    let worker = crm.worker().at_once(200).handle("bench.work", move |job| {
        let handle = handle.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            handle(job.payload().unwrap_or_default());
            Ok(Next::Done)
        }
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        worker.run(tokio::time::sleep, async { stopped.await.unwrap_or_default() }).await;
    });
    let made = work.await;
    stop.send(()).unwrap();
    running.await.unwrap();
    made
}

async fn throughput(crm: &Crm, session: &Session, jobs: usize) {
    enqueue(session, jobs).await;
    let done = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&done);
    let began = Instant::now();
    let all = async {
        while (done.load(Ordering::Relaxed) as usize) < jobs {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    with_worker(crm, counted, all).await;
    let rate = jobs as f64 / began.elapsed().as_secs_f64();
    println!("  completed, 1 ms each   {rate:8.0} jobs/s of {jobs}, settled");
}

async fn latency(crm: &Crm, session: &Session) {
    let waited: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let total = PER_SECOND * STEADY.as_secs();
    let began = Instant::now();
    let times = Arc::clone(&waited);
    let seen = move |sent: u64| {
        let since = began.elapsed().saturating_sub(Duration::from_micros(sent));
        times.lock().unwrap().push(since);
    };
    let send = async {
        for number in 0..total {
            let due = Duration::from_micros(number * 1_000_000 / PER_SECOND);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            let sent = u64::try_from(began.elapsed().as_micros()).unwrap();
            session.jobs().enqueue(NewJob::new("bench.work", &sent).unwrap()).await.unwrap();
        }
        while (waited.lock().unwrap().len() as u64) < total {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    with_worker(crm, seen, send).await;
    let mut waited = waited.lock().unwrap().clone();
    waited.sort();
    println!(
        "  enqueue to done at {PER_SECOND}/s p50 {}, p95 {}, p99 {}",
        micros(percentile(&waited, 50)),
        micros(percentile(&waited, 95)),
        micros(percentile(&waited, 99)),
    );
}

/// Behind how much of another tenant's backlog a single job waits.
async fn fairness(crm: &Crm, busy: &Session, other: &Session) {
    enqueue(busy, BACKLOG).await;
    const OWN: u64 = u64::MAX;
    let (sender, done) = oneshot::channel();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let seen = move |sent: u64| {
        if sent == OWN
            && let Some(sender) = sender.lock().unwrap().take()
        {
            sender.send(Instant::now()).unwrap();
        }
    };
    let single = async {
        // The worker is in the midst of the backlog.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        other.jobs().enqueue(NewJob::new("bench.work", &OWN).unwrap()).await.unwrap();
        done.await.unwrap() - began
    };
    let waited = with_worker(crm, seen, single).await;
    println!("  one job behind {BACKLOG}  {}", micros(waited));
}

async fn webhooks(crm: &Crm, session: &Session) {
    let account = NewTelephonyAccount {
        provider: "twilio".into(),
        name: ACCOUNT.into(),
        secrets: CarrierSecrets { auth_tokens: vec![TOKEN.into()], api_key: None },
        numbers: vec!["+14255550100".into()],
        connect_to: None,
        greeting: None,
        options: Default::default(),
    };
    session.telephony().create(account).await.unwrap();
    let ada = NewContact::named("Ada", "Lovelace").phone("+14255550123");
    let ada = session.contacts().create(ada).await.unwrap();
    let mut requests = Vec::new();
    for number in 0..500 {
        let call = session.calls().start(StartCall::to(ada.id)).await.unwrap();
        for (sequence, status) in
            ["initiated", "ringing", "in-progress", "completed"].into_iter().enumerate()
        {
            requests.push(callback(session, &call, number, sequence, status));
        }
    }
    let count = requests.len();
    let requests = Arc::new(Mutex::new(requests));
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (crm, requests) = (crm.clone(), Arc::clone(&requests));
        tokio::spawn(async move {
            loop {
                let Some(request) = requests.lock().unwrap().pop() else { break };
                crm.webhook("twilio", request).await.unwrap();
            }
        })
    });
    futures::future::join_all(callers.collect::<Vec<_>>()).await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("  status callbacks       {rate:8.0} /s: signature, look-up, merge, commit");
}

fn callback(
    session: &Session,
    call: &Call,
    number: usize,
    sequence: usize,
    status: &str,
) -> WebhookRequest {
    let url = format!(
        "https://crm.example/webhooks/twilio?tenant={}&call={}",
        session.scope().tenant(),
        call.id
    );
    let sid = format!("CA{number:032x}");
    let fields = [
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", &sid),
        ("CallStatus", status),
        ("CallbackSource", "call-progress-events"),
        ("Direction", "outbound-api"),
        ("From", "+14255550100"),
        ("SequenceNumber", &sequence.to_string()),
        ("Timestamp", "Sun, 01 Mar 2026 09:30:00 +0000"),
        ("To", "+14255550123"),
    ];
    let form: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let escaped: String = value
                .bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => {
                        char::from(byte).to_string()
                    }
                    byte => format!("%{byte:02X}"),
                })
                .collect();
            format!("{name}={escaped}")
        })
        .collect();
    let body = form.join("&");
    let signature = crm_twilio::sign(&TOKEN.into(), &url, body.as_bytes());
    WebhookRequest {
        url,
        headers: vec![
            ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ("x-twilio-signature".into(), signature),
        ],
        body: body.into(),
    }
}
