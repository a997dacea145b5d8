//! kill -9 of workers: no job is lost, each effect is there once, and a stopped worker cannot write late.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Random, child, given_file, run, session_of};
use crm_conformance::killed_workers::{LaterClock, enqueue, finish, work};
use crm_core::Crm;
use crm_sqlite::SqliteStore;

const CLOCK: &str = "CRM_TEST_LATER";
/// More than a lease.
const ROUND: u64 = 31;
const JOBS_OF_A_CHILD: u64 = 199;

async fn crm(file: &Path, round: u64) -> Crm {
    let store = SqliteStore::open(file).await.unwrap();
    let later = Duration::from_secs(ROUND * round);
    Crm::builder(store).clock(LaterClock(later)).build().unwrap()
}

#[test]
#[ignore = "the child of another test"]
fn child_works() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let round = std::env::var(CLOCK).unwrap().parse().unwrap();
        let crm = crm(&given_file(), round).await;
        println!();
        work(&crm, JOBS_OF_A_CHILD, || println!("done"), tokio::time::sleep).await;
    });
}

fn kill_workers(rounds: u64) {
    let jobs = rounds * (JOBS_OF_A_CHILD + 1);
    let mut random = Random::seeded();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let contact = run(async {
        let crm = crm(&file, 0).await;
        enqueue(&session_of(&crm).await, jobs).await.unwrap()
    });
    for round in 1..=rounds {
        let mut child = child("child_works", &file).env(CLOCK, round.to_string()).spawn().unwrap();
        let done = 1 + random.below(JOBS_OF_A_CHILD / 2);
        common::wait_for_lines(&mut child, "done", done);
        // The moment is what is tested; nothing is waited for.
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let left = run(async {
        let crm = crm(&file, rounds + 1).await;
        finish(&crm, &session_of(&crm).await, contact, jobs).await.unwrap()
    });
    assert!((rounds..=jobs - rounds).contains(&left), "{left} of {jobs} jobs were left");
}

#[test]
fn no_job_is_lost_or_done_twice_by_killed_workers() {
    kill_workers(10);
}

#[test]
#[ignore = "long: 100 kills"]
fn long_no_job_is_lost_or_done_twice_by_killed_workers() {
    kill_workers(100);
}
