//! A call over the switchboard, from the first ring to the timeline.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use crm_conformance::{Passing as _, TestClock};
use crm_core::Crm;
use crm_sqlite::SqliteStore;
use custom_telephony::{Carrier, Switchboard, call_ada};

#[tokio::test]
async fn a_call_is_followed_to_its_end() {
    let clock = TestClock::default();
    let carrier = Carrier(Arc::new(Switchboard::new(clock.clone())));
    let store = SqliteStore::open_in_memory().await.unwrap();
    let crm = Crm::builder(store).clock(clock.clone()).telephony(carrier).build().unwrap();
    let mut said = Vec::new();
    let second = async || clock.pass(Duration::from_secs(1)).await;
    call_ada(&crm, second, |line| said.push(line.to_owned())).await.unwrap();
    let statuses = ["initiated", "ringing", "in_progress", "completed"];
    assert_eq!(said, [&statuses[..], &["on the timeline: a call of 10 s"]].concat());
}
