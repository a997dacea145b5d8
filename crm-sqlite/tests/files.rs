//! Files that cannot be used: each its own error, and the file as it was.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{as_child, given_file, run, session, whole};
use crm_core::contacts::{Contact, ContactFilter, NewContact};
use crm_core::{Error, ErrorKind, Result, Session};
use crm_sqlite::SqliteStore;
use rusqlite::Connection;

async fn create(session: &Session, name: &str) -> Result<Contact> {
    session.contacts().create(NewContact::named("File", name)).await
}

const OPEN: &str = "the database file cannot be opened; name a file in a folder that exists";
const READ_ONLY: &str = "the database file or its folder is read-only";

async fn refused(file: &Path) -> Error {
    SqliteStore::open(file).await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    let text = at("notes.txt");
    std::fs::write(&text, "Dear diary, ".repeat(1000)).unwrap();
    let foreign = at("other.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    let named = at("named.db");
    let sql = "PRAGMA application_id = 7; PRAGMA user_version = 1";
    Connection::open(&named).unwrap().execute_batch(sql).unwrap();
    let newer = at("newer.db");
    drop(session(&newer).await);
    // As a file of a newer program that keeps no write-ahead log.
    let sql = "PRAGMA journal_mode = DELETE; PRAGMA user_version = 1000";
    Connection::open(&newer).unwrap().execute_batch(sql).unwrap();

    for (file, code, says) in [
        (&text, "not_a_database", "the file is no database; name another file"),
        (
            &foreign,
            "foreign_database",
            "the file is the database of another program; name another file",
        ),
        (
            &named,
            "foreign_database",
            "the file is the database of another program; name another file",
        ),
        (
            &newer,
            "newer_schema",
            "the database has schema 1000; this program knows up to 1, use a newer one",
        ),
    ] {
        let before = std::fs::read(file).unwrap();
        let error = refused(file).await;
        assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, says));
        assert_eq!((&*error.fields()[0].field, &*error.fields()[0].code), ("database", code));
        assert_eq!(std::fs::read(file).unwrap(), before, "{} was changed", file.display());
        for beside in ["-wal", "-shm", "-journal"] {
            let beside = file
                .with_file_name(format!("{}{beside}", file.file_name().unwrap().to_str().unwrap()));
            assert!(!beside.exists(), "{} was left", beside.display());
        }
    }

    for file in [folder.path().to_owned(), at("no/such/folder/crm.db")] {
        let error = refused(&file).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), OPEN);
        assert!(!at("no").exists());
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    std::fs::write(&file, "").unwrap();
    create(&session(&file).await, "a").await.unwrap();
    assert_eq!(whole(&file), 1);
}

#[tokio::test]
async fn a_damaged_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    {
        let session = session(&file).await;
        for _ in 0..200 {
            create(&session, "a").await.unwrap();
        }
    }
    let mut bytes = std::fs::read(&file).unwrap();
    let from = bytes.len() / 4;
    bytes[from..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    // Some pages are whole: the file may open, and fails where it is read.
    let error = match SqliteStore::open(&file).await {
        Err(error) => error,
        Ok(_) => {
            let findings = crm_sqlite::doctor(&file);
            match findings {
                Err(error) => error,
                Ok(findings) => {
                    assert!(findings.iter().any(|finding| !finding.good), "{findings:?}");
                    return;
                }
            }
        }
    };
    assert_eq!(error.message(), "the database file is damaged or is no database");
}

#[test]
#[ignore = "the child of another test"]
fn child_may_only_read() {
    run(async {
        let file = given_file();
        let before = std::fs::read(&file).unwrap();
        let error = match SqliteStore::open(&file).await {
            Err(error) => error,
            // Reading is allowed: then that works, and writing says why not.
            Ok(store) => {
                let session = common::session_on(store).await;
                let all = session.contacts().count(&ContactFilter::default()).await.unwrap();
                assert_eq!(all, 1);
                create(&session, "b").await.unwrap_err()
            }
        };
        println!("\nsays {}", error.message());
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    });
}

#[cfg(unix)]
#[test]
fn a_file_or_folder_that_is_read_only_says_so() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (of_file, of_folder) in [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555)] {
        let outer = tempfile::tempdir().unwrap();
        mode(outer.path(), 0o755);
        let folder = outer.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("crm.db");
        run(async { create(&session(&file).await, "a").await.unwrap() });
        mode(&file, of_file);
        mode(&folder, of_folder);
        // Permissions do not bind root; another user may not reach this program where it lies.
        let program = outer.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = match std::fs::metadata(&file).unwrap().uid() {
            0 => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
                command.arg(&program);
                command
            }
            _ => Command::new(&program),
        };
        as_child(&mut command, "child_may_only_read", &file);
        let end = command.stderr(Stdio::piped()).output().unwrap();
        mode(&folder, 0o755);
        let out = String::from_utf8_lossy(&end.stdout);
        assert!(end.status.success(), "{out}\n{}", String::from_utf8_lossy(&end.stderr));
        let says = out.lines().find_map(|line| line.strip_prefix("says ")).unwrap();
        eprintln!("{of_file:o} in {of_folder:o}: {says}");
        assert!([READ_ONLY, OPEN].contains(&says), "{says}");
        // With the permission back, it is as before.
        mode(&file, 0o644);
        run(async { create(&session(&file).await, "c").await.unwrap() });
        assert_eq!(whole(&file), 2);
    }
}
