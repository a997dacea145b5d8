//! What an import and an export promise, on the store in memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod companies;
mod duplicates;
mod exporting;
mod faults;
mod real_files;
mod report;
#[path = "../common/faulty.rs"]
mod store;
mod updates;

use crm_core::contacts::import::{ImportOptions, ImportReport, OnConflict};
use crm_core::contacts::{Contact, ContactFilter, ContactSort};
use crm_core::ports::Store;
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Result, Session};
use serde_json::{Value, json};

fn skip() -> ImportOptions {
    ImportOptions::default()
}

fn update() -> ImportOptions {
    ImportOptions { on_conflict: OnConflict::Update, ..skip() }
}

fn refuse() -> ImportOptions {
    ImportOptions { on_conflict: OnConflict::Error, ..skip() }
}

fn dry(options: ImportOptions) -> ImportOptions {
    ImportOptions { dry_run: true, ..options }
}

/// The operator's session in an empty tenant.
async fn session() -> Session {
    crm_core::memory::session_for_docs().await.unwrap()
}

async fn session_on(store: impl Store + 'static) -> Session {
    let crm = Crm::builder(store).build().unwrap();
    let system = crm.system("test").unwrap();
    let new = NewTenant {
        name: "Acme".into(),
        slug: None,
        default_region: "US".parse().unwrap(),
        owner_email: "owner@acme.example".into(),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    system.session(tenant.id).await.unwrap()
}

async fn try_import(
    session: &Session,
    file: impl AsRef<[u8]>,
    options: ImportOptions,
) -> Result<ImportReport> {
    let mut import = session.contacts().import(options)?;
    for piece in file.as_ref().chunks(4096) {
        import.push(piece).await?;
    }
    import.finish().await
}

async fn import(session: &Session, file: impl AsRef<[u8]>, options: ImportOptions) -> ImportReport {
    try_import(session, file, options).await.unwrap()
}

/// Created, updated, skipped, failed.
fn numbers(report: &ImportReport) -> [u64; 4] {
    assert_eq!(report.rows(), report.created + report.updated + report.skipped + report.failed);
    [report.created, report.updated, report.skipped, report.failed]
}

/// Every live contact in the order of its making.
async fn contacts(session: &Session) -> Vec<Contact> {
    let (mut all, mut page) = (Vec::new(), Page::first(200));
    loop {
        let filter = ContactFilter::default();
        let found =
            session.contacts().list(&filter, ContactSort::CreatedAt, false, &page).await.unwrap();
        all.extend(found.items);
        match found.next_cursor {
            Some(cursor) => page = Page::after(cursor, 200),
            None => return all,
        }
    }
}

/// What people decide of a contact: without identifiers, times, and the link that an import makes.
fn decided(contact: &Contact) -> Value {
    let mut value = serde_json::to_value(contact).unwrap();
    for field in ["id", "created_at", "updated_at", "version", "company_id"] {
        value[field] = Value::Null;
    }
    value
}

/// What people decide of every contact, in an order of its own.
async fn state(session: &Session) -> Vec<String> {
    let mut all: Vec<String> =
        contacts(session).await.iter().map(|contact| decided(contact).to_string()).collect();
    all.sort();
    all
}

/// JSON lines of these values.
fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn person(first: &str, last: &str, email: &str) -> Value {
    json!({ "first_name": first, "last_name": last, "emails": [{ "address": email }] })
}

/// So many rows that nothing else knows.
fn others(from: usize, count: usize) -> Vec<Value> {
    (from..from + count)
        .map(|number| person("Other", "Person", &format!("other{number}@example.net")))
        .collect()
}

/// Rows of one commit.
const BATCH: usize = 500;
