//! What the tests of a file share: a tenant in it, a look at its rows, this program as a child.
#![allow(dead_code, reason = "each test program uses its part")]

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::process::{Command, Stdio};

use crm_core::tenancy::{NewTenant, Slug};
use crm_core::{Crm, Session};
use crm_sqlite::{Options, SqliteStore};
use rusqlite::{Connection, OpenFlags};

/// The operator's session in the one tenant of the file, which is made where it is missing.
pub(crate) async fn session(file: &Path) -> Session {
    session_with(file, Options::default()).await
}

pub(crate) async fn session_with(file: &Path, options: Options) -> Session {
    session_on(SqliteStore::open_with(file, options).await.unwrap()).await
}

pub(crate) async fn session_on(store: SqliteStore) -> Session {
    session_of(&Crm::builder(store).build().unwrap()).await
}

pub(crate) async fn session_of(crm: &Crm) -> Session {
    let system = crm.system("test").unwrap();
    let slug: Slug = "acme".parse().unwrap();
    let tenant = match system.tenant(&slug).await {
        Ok(tenant) => tenant,
        Err(_) => {
            let new = NewTenant {
                name: "Acme".into(),
                slug: Some(slug),
                default_region: "US".parse().unwrap(),
                owner_email: "owner@acme.example".into(),
                owner_name: None,
            };
            system.create_tenant(new).await.unwrap().0
        }
    };
    system.session(tenant.id).await.unwrap()
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).build().unwrap().block_on(work)
}

/// One number of the file, read without the store.
pub(crate) fn number(file: &Path, sql: &str) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(file, flags).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Everything that belongs to a contact is there as often as contacts are; returns how often.
pub(crate) fn whole(file: &Path) -> i64 {
    let contacts = number(file, "SELECT count(*) FROM contact");
    for part in [
        "SELECT count(DISTINCT contact_id) FROM activity WHERE kind = 'contact_created'",
        "SELECT count(*) FROM activity WHERE kind = 'contact_created'",
        "SELECT count(DISTINCT resource_id) FROM audit WHERE action = 'contact.created'",
        "SELECT count(*) FROM audit WHERE action = 'contact.created'",
        "SELECT count(DISTINCT subject_id) FROM event WHERE name = 'contact.created.v1'",
        "SELECT count(*) FROM event WHERE name = 'contact.created.v1'",
        "SELECT count(DISTINCT contact_id) FROM contact_key",
        "SELECT count(*) FROM contact_terms",
        "SELECT count(DISTINCT contact_id) FROM term",
    ] {
        assert_eq!(number(file, part), contacts, "{part}");
    }
    let orphans = "SELECT count(*) FROM term WHERE NOT EXISTS (SELECT 1 FROM contact
                   WHERE contact.tenant_no = term.tenant_no AND contact.id = term.contact_id)";
    assert_eq!(number(file, orphans), 0);
    assert_eq!(number(file, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let healthy = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    assert_eq!(number(file, healthy), 1);
    contacts
}

/// This program as a child that runs one ignored test on `file`.
pub(crate) fn child(test: &str, file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_child(&mut command, test, file);
    command
}

/// Makes a command that ends in this program run one ignored test on `file`.
pub(crate) fn as_child(command: &mut Command, test: &str, file: &Path) {
    command
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CRM_TEST_FILE", file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
}

/// The file that a child was given.
pub(crate) fn given_file() -> std::path::PathBuf {
    std::env::var_os("CRM_TEST_FILE").expect("a child of another test").into()
}

/// Random numbers whose seed is printed; `CRM_TEST_SEED` repeats a run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        let seed = match std::env::var("CRM_TEST_SEED") {
            Ok(seed) => seed.parse().expect("CRM_TEST_SEED is a number"),
            Err(_) => std::hash::RandomState::new().build_hasher().finish(),
        };
        eprintln!("CRM_TEST_SEED={seed}");
        Random(seed)
    }

    /// A number below `end`: SplitMix64 (Steele, Lea, Flood 2014).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

/// Waits until the child has printed `line` so often.
pub(crate) fn wait_for_lines(child: &mut std::process::Child, line: &str, times: u64) {
    use std::io::BufRead;
    let lines = std::io::BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let told = lines.filter(|own| own.as_ref().unwrap() == line).take(times as usize).count();
    assert_eq!(told as u64, times, "the child ended without `{line}`");
}
