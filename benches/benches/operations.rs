//! Single operations on a file of 20,000 contacts, everything durable, and group commit beside one
//! commit each.
//!
//! `cargo bench -p crm-benches --bench operations`

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use crm_benches::{People, machine};
use crm_core::activities::{ActivityFilter, NewActivity, StatsGroupBy};
use crm_core::contacts::{Contact, ContactFilter, ContactPatch, ContactSort, NewContact};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Session};
use crm_sqlite::{Options, SqliteStore};
use tokio::runtime::Runtime;

const CONTACTS: u64 = 20_000;
const CALLERS: u64 = 16;

static NEXT: AtomicU64 = AtomicU64::new(0);

fn main() {
    println!("{}", machine());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let (session, some) = runtime.block_on(filled(&path));
    let mut criterion = Criterion::default()
        .configure_from_args()
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1))
        .sample_size(30);
    reads(&mut criterion, &runtime, &path, &session, &some);
    writes(&mut criterion, &runtime, &session, &some);
    criterion.final_summary();
    group_commit(&runtime);
}

async fn open(path: &Path, options: Options) -> Session {
    let crm = Crm::builder(SqliteStore::open_with(path, options).await.unwrap()).build().unwrap();
    let system = crm.system("bench").unwrap();
    let (tenant, _) = system
        .create_tenant(NewTenant {
            name: "Bench".into(),
            slug: None,
            default_region: Region::US,
            owner_email: "bench@bench.example".into(),
            owner_name: None,
        })
        .await
        .unwrap();
    system.session(tenant.id).await.unwrap()
}

async fn filled(path: &Path) -> (Session, Vec<Contact>) {
    let session = open(path, Options::default()).await;
    let mut people = People::new(1);
    let mut all = Vec::new();
    for from in (0..CONTACTS).step_by(500) {
        let made = session.contacts().create_all(people.take(from..from + 500)).await.unwrap();
        let notes =
            made.iter().map(|contact| NewActivity::note(contact.id, "called back")).collect();
        session.activities().create_all(notes).await.unwrap();
        all.extend(made);
    }
    let notes = (0..200).map(|_| NewActivity::note(all[0].id, "called back")).collect();
    session.activities().create_all(notes).await.unwrap();
    (session, all)
}

fn reads(
    criterion: &mut Criterion,
    runtime: &Runtime,
    path: &Path,
    session: &Session,
    some: &[Contact],
) {
    let contacts = session.contacts();
    let next = || &some[NEXT.fetch_add(7919, Ordering::Relaxed) as usize % some.len()];
    let raw = rusqlite::Connection::open(path).unwrap();
    let mut statement =
        raw.prepare("SELECT doc FROM contact WHERE tenant_no = 1 AND id = ?1").unwrap();
    criterion.bench_function("get, raw statement", |bench| {
        bench.iter(|| {
            statement
                .query_row([next().id.as_uuid().as_bytes()], |row| row.get::<_, String>(0))
                .unwrap()
        });
    });
    criterion
        .bench_function("get", |bench| bench.to_async(runtime).iter(|| contacts.get(next().id)));
    criterion.bench_function("list page of 50", |bench| {
        bench.to_async(runtime).iter(|| async {
            contacts
                .list(&ContactFilter::default(), ContactSort::LastName, false, &Page::first(50))
                .await
                .unwrap()
        });
    });
    let activities = session.activities();
    criterion.bench_function("timeline page of 50", |bench| {
        bench
            .to_async(runtime)
            .iter(|| async { activities.timeline(some[0].id, &Page::first(50)).await.unwrap() });
    });
    criterion.bench_function("search, a name with a typo", |bench| {
        bench.to_async(runtime).iter(|| async {
            let mut name = next().display_name.clone();
            name.pop();
            contacts.search(&name, &Page::first(10)).await.unwrap()
        });
    });
    criterion.bench_function("stats by kind", |bench| {
        bench.to_async(runtime).iter(|| async {
            activities.stats(&ActivityFilter::default(), StatsGroupBy::Kind).await.unwrap()
        });
    });
}

fn writes(criterion: &mut Criterion, runtime: &Runtime, session: &Session, some: &[Contact]) {
    let contacts = session.contacts();
    criterion.bench_function("create", |bench| {
        bench.to_async(runtime).iter_batched(
            || {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                NewContact::named("Grace", "Hopper").email(format!("grace{number}@bench.example"))
            },
            |new| async { contacts.create(new).await.unwrap() },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("update", |bench| {
        bench.to_async(runtime).iter(|| async {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let id = some[number as usize % some.len()].id;
            let patch =
                ContactPatch { title: format!("Title {number}").into(), ..ContactPatch::default() };
            contacts.update(id, patch, None).await.unwrap()
        });
    });
}

/// Creates by 16 callers at once, with and without sharing the disk.
fn group_commit(runtime: &Runtime) {
    let mut rates = Vec::new();
    for round in 0..6 {
        let on = round % 2 == 1;
        let folder = tempfile::tempdir().unwrap();
        let rate = runtime.block_on(async {
            let session = Arc::new(
                open(&folder.path().join("crm.db"), Options::default().group_commit(on)).await,
            );
            let start = Instant::now();
            let each = 200;
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| {
                    let session = Arc::clone(&session);
                    tokio::spawn(async move {
                        for number in 0..each {
                            let new = NewContact::named("Grace", "Hopper")
                                .email(format!("g{caller}.{number}@bench.example"));
                            session.contacts().create(new).await.unwrap();
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            (CALLERS * each) as f64 / start.elapsed().as_secs_f64()
        });
        rates.push((on, rate));
    }
    let of = |wanted: bool| {
        let mut rates: Vec<f64> =
            rates.iter().filter(|(on, _)| *on == wanted).map(|(_, rate)| *rate).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (alone, shared) = (of(false), of(true));
    println!(
        "creates by {CALLERS} callers: one commit each {alone:.0}/s, group commit {shared:.0}/s, ratio {:.1}",
        shared / alone
    );
}
