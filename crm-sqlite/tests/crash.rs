//! kill -9 at any moment: what was acknowledged is there, and nothing is half there.
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

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use common::{Random, child, given_file, run, session, whole};
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{ContactFilter, ContactKey, ContactSort, NewContact};
use crm_core::{ContactId, Page};

/// Callers at once, so that a commit holds the work of several.
const CALLERS: usize = 4;

/// A word that only this number has, of letters: it is found by search and by nothing else.
fn word(number: u64) -> String {
    let mut letters = String::from("q");
    let mut rest = number;
    while rest > 0 {
        letters.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    letters + "zx"
}

fn person(number: u64) -> NewContact {
    NewContact::named("Kill", word(number)).email(format!("p{number}@kill.example"))
}

fn acknowledge(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nack {text}").unwrap();
    out.flush().unwrap();
}

/// The words of the next acknowledgement; `None` when the child is gone.
fn next_ack(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<Vec<String>> {
    lines.by_ref().map_while(Result::ok).find_map(|line| {
        let words = line.strip_prefix("ack ")?;
        Some(words.split(' ').map(str::to_owned).collect())
    })
}

/// Kills the child after so many acknowledgements and a moment more; returns all of them.
fn kill_after(mut child: Child, acks: u64, random: &mut Random) -> Vec<Vec<String>> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for _ in 0..acks {
        acknowledged.extend(next_ack(&mut lines));
    }
    // The moment is what is tested; nothing is waited for.
    std::thread::sleep(Duration::from_micros(random.below(3000)));
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some(ack) = next_ack(&mut lines) {
        acknowledged.push(ack);
    }
    acknowledged
}

#[test]
#[ignore = "the child of another test"]
fn child_creates() {
    run(async {
        let session = session(&given_file()).await;
        let first = session.contacts().count(&ContactFilter::default()).await.unwrap();
        // Numbers that no child before had: each of those could leave as many unacknowledged.
        let first = first * 1000;
        let callers = (0..CALLERS as u64).map(|caller| {
            let session = session.clone();
            tokio::spawn(async move {
                for number in (first + caller..).step_by(CALLERS) {
                    let made = session.contacts().create(person(number)).await.unwrap();
                    acknowledge(format_args!("{} {number}", made.id));
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
}

fn kill_while_creating(rounds: usize) {
    let mut random = Random::seeded();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    run(session(&file));
    let mut acknowledged: Vec<(ContactId, u64)> = Vec::new();
    for round in 0..rounds {
        let child = child("child_creates", &file).spawn().unwrap();
        let acks = 1 + random.below(60);
        let found = kill_after(child, acks, &mut random);
        assert!(found.len() as u64 >= acks, "the child ended by itself");
        acknowledged.extend(
            found.iter().map(|ack| (ack[0].parse().unwrap(), ack[1].parse::<u64>().unwrap())),
        );
        let stored = whole(&file);
        let unanswered = stored - acknowledged.len() as i64;
        assert!(unanswered >= 0, "{} acknowledged, {stored} stored", acknowledged.len());
        let most = (CALLERS * (round + 1)) as i64;
        assert!(unanswered <= most, "{unanswered} stored that nobody asked for");
    }
    run(all_there(&file, &acknowledged));
}

async fn all_there(file: &Path, acknowledged: &[(ContactId, u64)]) {
    let session = session(file).await;
    for (id, number) in acknowledged {
        let contact = session.contacts().get(*id).await.unwrap();
        let email = format!("p{number}@kill.example");
        assert_eq!(contact.emails[0].address.as_str(), email);
        let timeline = session.activities().timeline(*id, &Page::first(2)).await.unwrap();
        assert_eq!(timeline.items.len(), 1);
        let audit = session.audit().list(Some((*id).into()), &Page::first(2)).await.unwrap();
        assert_eq!(audit.items.len(), 1);
        let hits = session.contacts().search(&word(*number), &Page::first(1)).await.unwrap();
        assert_eq!(hits.items[0].contact.id, *id, "{}", word(*number));
        let filter =
            ContactFilter { keys: vec![ContactKey::Email(email)], ..ContactFilter::default() };
        let (contacts, page) = (session.contacts(), Page::first(2));
        let found = contacts.list(&filter, ContactSort::CreatedAt, false, &page).await.unwrap();
        assert_eq!(found.items.len(), 1);
    }
    // And the file goes on.
    session.contacts().create(NewContact::named("After", "All")).await.unwrap();
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    kill_while_creating(12);
}

#[test]
#[ignore = "long: 200 kills"]
fn long_what_was_acknowledged_survives_kill_9() {
    kill_while_creating(200);
}

/// Rows that a commit each would not do: several batches.
const ROWS: u64 = 1600;

fn file_of_contacts() -> String {
    (0..ROWS)
        .map(|number| match number % 8 {
            // Known by their phone, and by nothing but their name.
            6 => format!("{{\"phones\":[{{\"raw\":\"+1425555{number:04}\"}}]}}\n"),
            7 => format!("{{\"first_name\":\"Plain\",\"last_name\":\"{}\"}}\n", word(number)),
            kind => format!(
                "{{\"first_name\":\"{}\",\"company\":\"Company {kind}\",\
                 \"emails\":[{{\"address\":\"p{number}@kill.example\"}}]}}\n",
                word(number)
            ),
        })
        .collect()
}

#[test]
#[ignore = "the child of another test"]
fn child_imports() {
    run(async {
        let session = session(&given_file()).await;
        let mut import = session.contacts().import(ImportOptions::default()).unwrap();
        for piece in file_of_contacts().as_bytes().chunks(4096) {
            import.push(piece).await.unwrap();
            acknowledge(format_args!("{}", import.report().created));
        }
        let report = import.finish().await.unwrap();
        assert_eq!((report.created + report.skipped, report.failed), (ROWS, 0));
    });
}

fn kill_while_importing(rounds: usize) {
    let mut random = Random::seeded();
    let pieces = file_of_contacts().len() as u64 / 4096;
    for _ in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("crm.db");
        run(session(&file));
        for _ in 0..2 {
            let child = child("child_imports", &file).spawn().unwrap();
            let before = whole(&file);
            let reported = kill_after(child, random.below(pieces), &mut random);
            let reported = reported.last().map_or(0, |ack| ack[0].parse().unwrap());
            let stored = whole(&file);
            assert!(stored - before >= reported, "{before} and {reported}, but {stored} stored");
        }
        let end = child("child_imports", &file).output().unwrap();
        assert!(end.status.success(), "{end:?}");
        assert_eq!(whole(&file), ROWS as i64);
        assert_eq!(
            common::number(&file, "SELECT count(DISTINCT value) FROM contact_key"),
            ROWS as i64
        );
        assert_eq!(common::number(&file, "SELECT count(*) FROM company"), 6);
    }
}

#[test]
fn an_import_killed_and_run_again_has_everybody_once() {
    kill_while_importing(5);
}

#[test]
#[ignore = "long: 200 imports killed twice each"]
fn long_an_import_killed_and_run_again_has_everybody_once() {
    kill_while_importing(200);
}
