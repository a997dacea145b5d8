//! A file gives the same counts on PostgreSQL as on SQLite.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod stores;
mod support;
mod tenants;

use std::path::PathBuf;

use crm_core::contacts::import::{ImportOptions, OnConflict};
use crm_core::{Crm, Session};
use crm_postgres::Options;
use crm_sqlite::SqliteStore;

/// Created, updated, skipped, failed.
async fn counts(session: &Session, file: &[u8], on_conflict: OnConflict) -> [u64; 4] {
    let options = ImportOptions { on_conflict, ..ImportOptions::default() };
    let mut import = session.contacts().import(options).unwrap();
    for piece in file.chunks(64 * 1024) {
        import.push(piece).await.unwrap();
    }
    let report = import.finish().await.unwrap();
    [report.created, report.updated, report.skipped, report.failed]
}

#[tokio::test]
async fn a_file_gives_the_same_counts() {
    let Some(folder) = std::env::var_os("CRM_TEST_DATA").map(PathBuf::from) else {
        eprintln!("CRM_TEST_DATA is not set: no file is imported");
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("contacts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "csv" || ending == "vcf"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no files");

    let (server, _database) = stores::fresh(Options::default()).await;
    let server = tenants::tenant(&tenants::crm(&server), "acme").await;
    let file = Crm::builder(SqliteStore::open_in_memory().await.unwrap()).build().unwrap();
    let file = tenants::tenant(&file, "acme").await;
    for on_conflict in [OnConflict::Skip, OnConflict::Update] {
        for path in &files {
            let bytes = std::fs::read(path).unwrap();
            let on_server = counts(&server, &bytes, on_conflict).await;
            let in_file = counts(&file, &bytes, on_conflict).await;
            assert_eq!(on_server, in_file, "{}, {on_conflict:?}", path.display());
            assert!(on_server.iter().sum::<u64>() > 0, "{} is empty", path.display());
        }
    }
}
