//! A full disk, two processes on one file, locks and lost callers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{as_child, child, given_file, number, run, session, session_with, whole};
use crm_core::contacts::{Contact, ContactFilter, ContactPatch, NewContact};
use crm_core::{ContactId, Error, ErrorKind, Page, Session};
use crm_sqlite::Options;
use rusqlite::Connection;

fn person(who: &str, number: usize) -> NewContact {
    NewContact::named("Fault", format!("{who}{number}")).email(format!("{who}{number}@x.example"))
}

async fn create(session: &Session, who: &str, number: usize) -> Result<Contact, Error> {
    session.contacts().create(person(who, number)).await
}

async fn count(session: &Session) -> usize {
    session.contacts().count(&ContactFilter::default()).await.unwrap() as usize
}

/// Runs a child to its end; what it found wrong is this test's failure.
fn succeeds(mut command: Command) {
    let end = command.stderr(Stdio::piped()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&end.stdout), String::from_utf8_lossy(&end.stderr));
    assert!(end.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

// ---- no room ----

/// Writes until there is no room, looks at what is left, makes room and writes again.
async fn fill_up(file: &Path, full: &str, take_room: impl FnOnce(), give_room: impl FnOnce()) {
    let session = session(file).await;
    for number in 0..20 {
        create(&session, "before", number).await.unwrap();
    }
    take_room();
    let mut made = 20;
    let mut failures = 0;
    for round in 0..1000 {
        // Several at once, so that a commit holds the work of several.
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let session = session.clone();
                tokio::spawn(async move { create(&session, "full", round * 8 + task).await })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                Ok(contact) => {
                    assert_eq!(session.contacts().get(contact.id).await.unwrap(), contact);
                    made += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                    assert_eq!(error.message(), full);
                    assert!(error.is_retryable());
                    failures += 1;
                }
            }
        }
        if failures > 40 {
            break;
        }
    }
    assert!(failures > 40, "the disk was never full");
    assert_eq!(count(&session).await, made);
    let hits = session.contacts().search("before7", &Page::first(1)).await.unwrap();
    assert_eq!(hits.items[0].contact.last_name.as_deref(), Some("before7"));

    give_room();
    for number in 0..20 {
        create(&session, "after", number).await.unwrap();
    }
    assert_eq!(count(&session).await, made + 20);
    drop(session);
    assert_eq!(whole(file), made as i64 + 20);
}

#[test]
#[ignore = "the child of another test"]
fn child_may_not_write_more() {
    let file = given_file();
    let limit = |bytes: &str| {
        let me = std::process::id().to_string();
        let mut command = Command::new("prlimit");
        command.args(["--pid", &me, &format!("--fsize={bytes}:unlimited")]);
        assert!(command.status().unwrap().success());
    };
    let wal = file.with_extension("db-wal");
    run(fill_up(
        &file,
        "the database file cannot be read or written",
        || limit(&(std::fs::metadata(wal).unwrap().len() + 300_000).to_string()),
        || limit("unlimited"),
    ));
}

/// By the largest size that the process may give a file: the system refuses as it does with EFBIG.
#[test]
fn a_file_that_may_not_grow_is_an_error_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap());
    as_child(&mut command, "child_may_not_write_more", &folder.path().join("crm.db"));
    succeeds(command);
}

#[test]
#[ignore = "the child of another test"]
fn child_has_a_small_disk() {
    let file = given_file();
    let ballast = file.with_file_name("ballast");
    run(fill_up(
        &file,
        "the disk of the database is full",
        || {
            let mut size = 64 * 1024 * 1024;
            // As much as there is room for, but for some pages.
            while std::fs::write(&ballast, vec![0; size]).is_err() {
                size -= 128 * 1024;
            }
            std::fs::File::options()
                .write(true)
                .open(&ballast)
                .unwrap()
                .set_len(size as u64 - 256 * 1024)
                .unwrap();
        },
        || std::fs::remove_file(&ballast).unwrap(),
    ));
}

/// A disk of 8 MiB in memory, where this user may mount one.
#[test]
fn a_full_disk_is_an_error_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = |then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size=8m tmpfs \"$1\" && shift && {then}");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        command.arg(folder.path());
        command
    };
    let probe = mounted("true").stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("no disk can be mounted here: only the limited file is tested");
        return;
    }
    let mut command = mounted("exec \"$@\"");
    command.arg(std::env::current_exe().unwrap());
    as_child(&mut command, "child_has_a_small_disk", &folder.path().join("crm.db"));
    succeeds(command);
}

// ---- two processes ----

const EACH: usize = 60;

/// What each of two processes does to one file at the same time.
async fn share(file: &Path, who: &str) {
    let session = session(file).await;
    let tasks: Vec<_> = (0..EACH)
        .map(|number| {
            let (session, who) = (session.clone(), who.to_owned());
            tokio::spawn(async move {
                let own = create(&session, &who, number).await.unwrap();
                println!("\nmade {}", own.id);
                // Both want these: one of the two gets each.
                match create(&session, "both", number).await {
                    Ok(_) => {}
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
                        let holder = ContactId::from_uuid(error.existing_id().unwrap());
                        let holder = session.contacts().get(holder).await.unwrap();
                        assert_eq!(holder.last_name.unwrap(), format!("both{number}"));
                    }
                }
                // Both count up one number.
                loop {
                    let hits = session.contacts().search("counter", &Page::first(1)).await.unwrap();
                    let counter = &hits.items[0].contact;
                    let now: usize = counter.title.as_ref().unwrap().parse().unwrap();
                    let patch: ContactPatch =
                        serde_json::from_str(&format!("{{\"title\":\"{}\"}}", now + 1)).unwrap();
                    let version = Some(counter.version);
                    match session.contacts().update(counter.id, patch, version).await {
                        Ok(_) => break,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::VersionConflict, "{error:?}");
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
#[ignore = "the child of another test"]
fn child_shares() {
    run(share(&given_file(), "child"));
}

#[test]
fn two_processes_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    run(async {
        let session = session(&file).await;
        let counter = NewContact {
            title: Some("0".into()),
            ..NewContact::named("The", "Counter").email("counter@x.example")
        };
        session.contacts().create(counter).await.unwrap();

        let mut other = child("child_shares", &file).spawn().unwrap();
        let lines = BufReader::new(other.stdout.take().unwrap()).lines().map_while(Result::ok);
        // What the other process has said to be made is seen here at once.
        let seen = tokio::task::spawn_blocking({
            let session = session.clone();
            move || {
                let made = lines.filter_map(|line| line.strip_prefix("made ")?.parse().ok());
                let mut seen = 0;
                for id in made {
                    run(session.contacts().get(id)).unwrap();
                    seen += 1;
                }
                seen
            }
        });
        share(&file, "parent").await;
        assert!(other.wait().unwrap().success());
        assert_eq!(seen.await.unwrap(), EACH);

        assert_eq!(count(&session).await, 3 * EACH + 1);
        let hits = session.contacts().search("counter", &Page::first(1)).await.unwrap();
        assert_eq!(hits.items[0].contact.title.as_deref(), Some(&*(2 * EACH).to_string()));
        assert_eq!(hits.items[0].contact.version as usize, 2 * EACH + 1);
    });
    assert_eq!(whole(&file) as usize, 3 * EACH + 1);
}

// ---- locks and lost callers ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_held_too_long_is_an_error_in_time_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let timeout = Duration::from_millis(300);
    let session = session_with(&file, Options::default().busy_timeout(timeout)).await;
    let ada = create(&session, "a", 0).await.unwrap();

    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let session = session.clone();
            tokio::spawn(async move { create(&session, "locked", number).await })
        })
        .collect();
    assert_eq!(session.contacts().get(ada.id).await.unwrap(), ada, "readers do not wait");
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(error.message(), "the database is locked by another program");
        assert!(error.is_retryable());
    }
    let waited = began.elapsed();
    // The first alone, then those who came meanwhile together; the rest is the machine's.
    assert!(waited >= timeout && waited < timeout * 2 + Duration::from_secs(4), "{waited:?}");

    other.execute_batch("COMMIT").unwrap();
    create(&session, "b", 0).await.unwrap();
    drop(session);
    assert_eq!(whole(&file), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_caller_leaves_a_whole_write_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let session = session(&file).await;
    let mut made = 0;
    for number in 0..60 {
        let lost = create(&session, "lost", number);
        let mut lost = std::pin::pin!(lost);
        for _ in 0..number % 4 {
            if futures::poll!(&mut lost).is_ready() {
                break;
            }
        }
        create(&session, "kept", number).await.unwrap();
        made += 1;
    }
    let stored = count(&session).await;
    assert!((made..=2 * made).contains(&stored));
    assert!(stored > made, "not one write was under way when its caller left");
    drop(session);
    assert_eq!(whole(&file) as usize, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let session = session(&file).await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let session = session.clone();
            tokio::spawn(async move {
                let made = create(&session, "task", number).await.unwrap();
                // What a caller wrote it reads, whichever connection answers.
                assert_eq!(session.contacts().get(made.id).await.unwrap(), made);
                for title in ["one", "two"] {
                    let patch: ContactPatch =
                        serde_json::from_str(&format!("{{\"title\":\"{title}\"}}")).unwrap();
                    session.contacts().update(made.id, patch, None).await.unwrap();
                }
                let name = format!("task{number}");
                let hits = session.contacts().search(&name, &Page::first(1)).await.unwrap();
                assert_eq!(hits.items[0].contact.id, made.id);
                let page = Page::first(9);
                let timeline = session.activities().timeline(made.id, &page).await.unwrap();
                assert_eq!(timeline.items.len(), 3);
                if number % 4 == 0 {
                    session.contacts().delete(made.id, Some(3)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&session).await, 48);
    drop(session);
    assert_eq!(number(&file, "SELECT count(*) FROM contact"), 64);
    assert_eq!(number(&file, "SELECT count(*) FROM contact_terms"), 48);
    assert_eq!(number(&file, "SELECT count(*) FROM activity"), 64 * 3 + 16);
    assert_eq!(
        number(&file, "SELECT count(*) FROM audit WHERE resource_kind = 'contact'"),
        64 * 3 + 16
    );
}
