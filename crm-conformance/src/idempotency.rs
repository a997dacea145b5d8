//! Remembered outcomes.

use crm_core::contacts::{Contact, NewContact};
use crm_core::idempotency::{IdempotencyKey, Idempotent};
use crm_core::{ErrorKind, Session};

use crate::case::cases;
use crate::env::{Env, refused};
use crate::snapshot::snapshot;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

/// What is remembered under the key; `None` for a request that is the first of its kind.
async fn remembered(session: &Session, name: &str) -> Option<String> {
    match session.idempotent(&key(name), b"POST /contacts").await.unwrap() {
        Idempotent::First(_) => None,
        Idempotent::Again(made) => Some(made),
    }
}

/// Makes a contact under the key.
async fn create(session: &Session, name: &str, last_name: &str) -> Contact {
    match session.idempotent(&key(name), b"POST /contacts").await.unwrap() {
        Idempotent::First(first) => {
            first.contacts().create(NewContact::named("Ada", last_name)).await.unwrap()
        }
        Idempotent::Again(made) => panic!("remembered already: {made}"),
    }
}

/// The operator's session in the same tenant on another node, which knows nothing of this one.
async fn on_another_node(env: &Env, session: &Session) -> Session {
    let system = env.another_node().system("prove what the store does").unwrap();
    system.session(session.scope().tenant()).await.unwrap()
}

cases! {
    async fn outcomes_are_remembered(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let started = env.clock.clone();
        let made = create(&acme, "one", "O'Hara 🦀").await;
        let again = remembered(&acme, "one").await.expect("it was committed");
        assert_eq!(serde_json::from_str::<Contact>(&again).unwrap(), made);
        assert_eq!(remembered(&acme, "two").await, None, "another key");
        assert_eq!(remembered(&other, "one").await, None, "another tenant's");

        // What has no effect is not remembered, and leaves the key free.
        let Idempotent::First(first) = acme.idempotent(&key("two"), b"").await.unwrap() else {
            panic!("nobody has used it");
        };
        let taken = NewContact::named("No", "Address").email("nowhere");
        refused(first.contacts().create(taken).await, ErrorKind::Invalid);
        drop(first);
        assert_eq!(remembered(&acme, "two").await, None);

        // Until its end, to the microsecond.
        started.advance_micros(DAY - 1);
        assert_eq!(remembered(&acme, "one").await, Some(again));
        started.advance_micros(1);
        assert_eq!(remembered(&acme, "one").await, None);
    }

    async fn an_outcome_is_written_once(env: &Env) {
        let session = env.tenant("acme").await;
        let elsewhere = on_another_node(env, &session).await;
        let pending = elsewhere.idempotent(&key("one"), b"POST /contacts").await.unwrap();
        let Idempotent::First(second) = pending else { panic!("nobody has used it") };
        create(&session, "one", "First").await;
        let before = snapshot(&*env.store, session.scope()).await.unwrap();
        let made = second.contacts().create(NewContact::named("Ada", "Second")).await;
        refused(made, ErrorKind::IdempotencyInProgress);
        let after = snapshot(&*env.store, session.scope()).await.unwrap();
        assert_eq!(after, before, "the refused unit left something behind");
        let again = remembered(&session, "one").await.expect("the first is kept");
        assert!(again.contains("First"), "{again}");

        // One that is over makes room, as do others that are.
        env.clock.advance_micros(DAY);
        create(&session, "one", "Third").await;
        let again = remembered(&session, "one").await.expect("it was replaced");
        assert!(again.contains("Third"), "{again}");
        for number in 0..30 {
            create(&session, &format!("old {number}"), "Old").await;
        }
        env.clock.advance_micros(DAY);
        for number in 0..30 {
            create(&session, &format!("old {number}"), "New").await;
        }
    }
}
