//! Several processes over one database: workers that are killed, and callbacks that meet.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod stores;
mod support;
mod tenants;

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crm_conformance::killed_workers::{LaterClock, enqueue, finish, work};
use crm_core::calls::{Call, CallFilter, CallStatus, StartCall};
use crm_core::contacts::NewContact;
use crm_core::events::EventPosition;
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount, WebhookRequest};
use crm_core::{Crm, Page, Session};
use crm_postgres::{Options, PostgresStore};
use crm_twilio::{Twilio, TwilioOptions};
use support::TestDatabase;
use tenants::Random;

const URL: &str = "CRM_TEST_CHILD_DATABASE";
const PART: &str = "CRM_TEST_CHILD_PART";
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// This program as a child that runs one ignored test.
fn child(test: &str, database: &TestDatabase, part: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(URL, database.url_as("crm_app"))
        .env(PART, part.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for_line(child: &mut Child, line: &str) {
    wait_for_lines(child, line, 1);
}

fn wait_for_lines(child: &mut Child, line: &str, times: u64) {
    let lines = std::io::BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let told = lines.filter(|own| own.as_ref().unwrap() == line).take(times as usize).count();
    assert_eq!(told as u64, times, "the child ended without `{line}`");
}

/// The part that a child was given, and the store.
async fn given() -> (u64, PostgresStore) {
    let url = std::env::var(URL).expect("a child of another test");
    let part = std::env::var(PART).unwrap().parse().unwrap();
    (part, PostgresStore::connect(&url).await.unwrap())
}

fn later(store: PostgresStore, round: u64) -> Crm {
    // More than a lease for each.
    Crm::builder(store).clock(LaterClock(Duration::from_secs(31 * round))).build().unwrap()
}

#[tokio::test]
#[ignore = "the child of another test"]
async fn child_works() {
    let (round, store) = given().await;
    let crm = later(store, round);
    println!();
    work(&crm, JOBS_OF_A_CHILD, || println!("done"), tokio::time::sleep).await;
}

const JOBS_OF_A_CHILD: u64 = 99;

async fn kill_workers(rounds: u64) {
    let jobs = rounds * (JOBS_OF_A_CHILD + 1);
    let mut random = Random::seeded();
    let (store, database) = stores::fresh(Options::default()).await;
    let crm = later(store.clone(), 0);
    let session = tenants::tenant(&crm, "acme").await;
    let contact = enqueue(&session, jobs).await.unwrap();
    for round in 1..=rounds {
        let mut child = child("child_works", &database, round);
        wait_for_lines(&mut child, "done", 1 + random.below(JOBS_OF_A_CHILD / 2));
        // The moment is what is tested; nothing is waited for.
        std::thread::sleep(Duration::from_micros(random.below(5_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let crm = later(store, rounds + 1);
    let left = finish(&crm, &session, contact, jobs).await.unwrap();
    assert!((rounds..=jobs - rounds).contains(&left), "{left} of {jobs} jobs were left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_or_done_twice_by_killed_workers() {
    kill_workers(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100 kills"]
async fn long_no_job_is_lost_or_done_twice_by_killed_workers() {
    kill_workers(100).await;
}

/// What Twilio tells of a call: the last contradicts the one before.
const TOLD: [&str; 6] = ["queued", "initiated", "ringing", "in-progress", "completed", "busy"];

fn callback(session: &Session, call: &Call, news: usize) -> WebhookRequest {
    let url = format!(
        "https://crm.example/webhooks/twilio?tenant={}&call={}",
        session.scope().tenant(),
        call.id
    );
    let digits = call.id.as_uuid().simple();
    let body = format!(
        "AccountSid={ACCOUNT}&CallSid=CA{digits}&CallStatus={}&SequenceNumber={news}\
         &From=%2B14255550100&To=%2B14255550123&Direction=outbound-api",
        TOLD[news]
    );
    let signature = crm_twilio::sign(&TOKEN.into(), &url, body.as_bytes());
    let form = "application/x-www-form-urlencoded";
    WebhookRequest {
        url,
        headers: vec![
            ("content-type".to_owned(), form.to_owned()),
            ("x-twilio-signature".to_owned(), signature),
        ],
        body: body.into(),
    }
}

fn with_twilio(store: PostgresStore) -> Crm {
    let ring = crm_core::KeyRing::new([("test".to_owned(), [7; 32])]).unwrap();
    let twilio = Twilio::new(TwilioOptions::default()).unwrap();
    Crm::builder(store).key_ring(ring).telephony(twilio).build().unwrap()
}

/// The `number`-th order of six.
fn order(mut number: u64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..6).collect();
    (1..=6)
        .rev()
        .map(|choices| {
            let at = number % choices;
            number /= choices;
            left.remove(at as usize)
        })
        .collect()
}

async fn all_calls(session: &Session) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut page = Page::first(Page::MAX_LIMIT);
    loop {
        let list = session.calls().list(&CallFilter::default(), &page).await.unwrap();
        calls.extend(list.items);
        match list.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::MAX_LIMIT),
            None => return calls,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of another test"]
async fn child_tells() {
    let (part, store) = given().await;
    let crm = with_twilio(store);
    let system = crm.system("test").unwrap();
    let tenant = system.tenant(&"acme".parse().unwrap()).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    println!("\ntelling");
    let calls = all_calls(&session).await;
    let mut tasks = Vec::new();
    for (number, call) in calls.into_iter().enumerate() {
        let (crm, session) = (crm.clone(), session.clone());
        tasks.push(tokio::spawn(async move {
            let mut order = order(number as u64);
            if part == 1 {
                order.reverse();
            }
            for news in order {
                crm.webhook("twilio", callback(&session, &call, news)).await.unwrap();
            }
        }));
        if tasks.len() == 8 {
            for task in tasks.drain(..) {
                task.await.unwrap();
            }
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// Two processes tell of the same calls at once, one in each of so many orders, the other backwards.
async fn tell_at_once(orders: usize) {
    let (store, database) = stores::fresh(Options::default()).await;
    let crm = with_twilio(store.clone());
    let session = tenants::tenant(&crm, "acme").await;
    let account = NewTelephonyAccount {
        provider: "twilio".to_owned(),
        name: ACCOUNT.to_owned(),
        secrets: CarrierSecrets { auth_tokens: vec![TOKEN.into()], ..CarrierSecrets::default() },
        numbers: vec!["+14255550100".to_owned()],
        connect_to: None,
        greeting: None,
        options: BTreeMap::default(),
    };
    session.telephony().create(account).await.unwrap();
    let ada = NewContact::named("Ada", "Lovelace").phone("+14255550123");
    let ada = session.contacts().create(ada).await.unwrap();
    for _ in 0..orders {
        session.calls().start(StartCall::to(ada.id)).await.unwrap();
    }
    let mut children = [0, 1].map(|part| child("child_tells", &database, part));
    for child in &mut children {
        wait_for_line(child, "telling");
    }
    for mut child in children {
        assert!(child.wait().unwrap().success(), "a callback was refused");
    }
    let mut told: BTreeMap<uuid::Uuid, usize> = BTreeMap::new();
    let mut position = EventPosition::START;
    loop {
        let events = session.events().after(position, 1000).await.unwrap();
        let Some(last) = events.last() else { break };
        position = last.position;
        for recorded in &events {
            if matches!(recorded.event.name.action(), "call.updated" | "call.ended") {
                *told.entry(recorded.event.subject.id).or_default() += 1;
            }
        }
    }
    let calls = all_calls(&session).await;
    assert_eq!(calls.len(), orders);
    for call in calls {
        assert_eq!(call.status(), CallStatus::Completed);
        assert_eq!(call.progress.steps.len(), 6);
        assert_eq!(told.get(&call.id.as_uuid()), Some(&6), "one event for each step");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_that_meet_end_alike_and_once() {
    tell_at_once(60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: all 720 orders"]
async fn long_callbacks_that_meet_end_alike_and_once() {
    tell_at_once(720).await;
}
