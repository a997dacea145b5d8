//! What the same calls cost in Rust, beside which `benches/border/run` puts Python and Node.
//!
//! Fills the file of `CRM_BENCH_FILE` with 20,000 contacts of the tenant `bench`, measures, and prints one line of
//! JSON: nanoseconds a call, the median of five rounds.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use std::path::Path;
use std::time::Instant;

use crm_benches::People;
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{Contact, ContactFilter, ContactSort, NewContact};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Session};
use crm_sqlite::SqliteStore;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const CONTACTS: u64 = 20_000;
const ROUNDS: usize = 5;

fn main() {
    // The test runner asks what there is.
    let Ok(file) = std::env::var("CRM_BENCH_FILE") else { return };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let session = runtime.block_on(open(Path::new(&file), "bench"));
    let some = runtime.block_on(filled(&session));
    let line = json!({
        "blocking get": blocking_get(&runtime, &session, &some),
        "awaited get": awaited_get(&runtime, &session, &some),
        "awaited no-op": awaited_nothing(&runtime),
        "blocking search": search(&runtime, &session, &some),
        "page of 50": page(&runtime, &session),
        "create": create(&runtime, &session),
        "import": import(&runtime),
    });
    println!("{line}");
}

async fn open(file: &Path, name: &str) -> Session {
    let crm = Crm::builder(SqliteStore::open(file).await.unwrap()).build().unwrap();
    let system = crm.system("bench").unwrap();
    let slug = name.parse().unwrap();
    let tenant = match system.tenant(&slug).await {
        Ok(tenant) => tenant,
        Err(_) => {
            let new = NewTenant {
                slug: Some(slug),
                ..NewTenant::new(name, "bench@bench.example", Region::US)
            };
            system.create_tenant(new).await.unwrap().0
        }
    };
    system.session(tenant.id).await.unwrap()
}

async fn filled(session: &Session) -> Vec<Contact> {
    if session.contacts().count(&Default::default()).await.unwrap() < CONTACTS {
        let mut people = People::new(1);
        for from in (0..CONTACTS).step_by(500) {
            session.contacts().create_all(people.take(from..from + 500)).await.unwrap();
        }
    }
    let page = Page::first(200);
    let filter = ContactFilter::default();
    let contacts = session.contacts();
    contacts.list(&filter, ContactSort::default(), false, &page).await.unwrap().items
}

/// Nanoseconds a call, the median of rounds of `calls`.
fn median(calls: usize, mut round: impl FnMut(usize)) -> u64 {
    let mut rounds: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            round(calls);
            u64::try_from(began.elapsed().as_nanos()).unwrap() / calls as u64
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn blocking_get(runtime: &Runtime, session: &Session, some: &[Contact]) -> u64 {
    median(20_000, |calls| {
        for call in 0..calls {
            let id = some[call % some.len()].id;
            runtime.block_on(session.contacts().get(id)).unwrap();
        }
    })
}

fn awaited_get(runtime: &Runtime, session: &Session, some: &[Contact]) -> u64 {
    median(5_000, |calls| {
        runtime.block_on(async {
            for call in 0..calls {
                let (session, id) = (session.clone(), some[call % some.len()].id);
                let got = tokio::spawn(async move { session.contacts().get(id).await });
                got.await.unwrap().unwrap();
            }
        });
    })
}

fn awaited_nothing(runtime: &Runtime) -> u64 {
    median(5_000, |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                tokio::spawn(async {}).await.unwrap();
            }
        });
    })
}

fn search(runtime: &Runtime, session: &Session, some: &[Contact]) -> u64 {
    median(500, |calls| {
        for call in 0..calls {
            let name = &some[call % some.len()].display_name;
            runtime.block_on(session.contacts().search(name, &Page::first(10))).unwrap();
        }
    })
}

fn page(runtime: &Runtime, session: &Session) -> u64 {
    median(200, |calls| {
        for _ in 0..calls {
            let (filter, page) = (ContactFilter::default(), Page::first(50));
            let contacts = session.contacts();
            let list = contacts.list(&filter, ContactSort::default(), false, &page);
            runtime.block_on(list).unwrap();
        }
    })
}

fn create(runtime: &Runtime, session: &Session) -> u64 {
    median(200, |calls| {
        for _ in 0..calls {
            let new = NewContact::named("Grace", "Hopper");
            runtime.block_on(session.contacts().create(new)).unwrap();
        }
    })
}

/// The file of real people into an empty database, where it is there.
fn import(runtime: &Runtime) -> Option<u64> {
    let data = std::env::var("CRM_TEST_DATA").ok()?;
    let file = std::fs::read(format!("{data}/contacts/adventureworks_people.csv")).unwrap();
    Some(median(1, |_| {
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let session = open(&folder.path().join("crm.db"), "import").await;
            let mut import = session.contacts().import(ImportOptions::default()).unwrap();
            for piece in file.chunks(64 * 1024) {
                import.push(piece).await.unwrap();
            }
            import.finish().await.unwrap();
        });
    }))
}
