//! How people and programs come in, and how fast it ends.

#![allow(
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "common/clock.rs"]
mod clock;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crm_core::contacts::NewContact;
use crm_core::events::EventPosition;
use crm_core::idempotency::Idempotent;
use crm_core::identity::{
    Arrival, ChangePassword, Identity, NewApiKey, PasswordSignIn, Registered, Registration,
    SignedIn, TokenAlgorithm, TokenKey, TokenKeys, UserPatch, UserStatus,
};
use crm_core::memory::MemoryStore;
use crm_core::ports::{Clock, Computation, SystemRandomness, Workers};
use crm_core::{Crm, Error, ErrorKind, KeyRing, Page, Result, Role, Session};

use clock::TestClock;

const PASSWORD: &str = "tangerine ledger boat";
const OTHER: &str = "umbrella quartz violin";
const EMAIL: &str = "ada@acme.example";
/// Looks at the store serve for less than a second.
const A_SECOND: Duration = Duration::from_secs(1);

/// Computes at once, and counts.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Workers for Counting {
    fn submit(&self, computation: Computation) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        computation();
        Ok(())
    }
}

/// Two nodes over one store, with the same keys.
struct World {
    here: Crm,
    there: Crm,
    clock: TestClock,
    hashes: Counting,
    ada: Registered,
}

impl World {
    async fn new() -> World {
        let (store, hashes) = (MemoryStore::default(), Counting::default());
        let clock = TestClock::default();
        let key = TokenKey::generate(TokenAlgorithm::EdDsa, &SystemRandomness).unwrap();
        let node = || {
            let key = TokenKey::from_base64(key.algorithm(), key.to_base64().reveal()).unwrap();
            Crm::builder(store.clone())
                .clock(clock.clone())
                .workers(hashes.clone())
                .token_keys(TokenKeys::new(key))
                .key_ring(KeyRing::new([("1".to_owned(), [7; 32])]).unwrap())
                .build()
                .unwrap()
        };
        let (here, there) = (node(), node());
        let new = Registration {
            company_name: "Acme".into(),
            full_name: "Ada Lovelace".into(),
            email: EMAIL.into(),
            password: PASSWORD.into(),
            default_region: None,
            invitation: None,
        };
        let ada = from(&here, None).register(new).await.unwrap();
        World { here, there, clock, hashes, ada }
    }

    async fn sign_in(&self, email: &str, password: &str, address: &str) -> Result<SignedIn> {
        let email = email.to_owned();
        let attempt = PasswordSignIn { email, password: password.into(), tenant: None, code: None };
        from(&self.here, Some(address)).sign_in(attempt).await
    }

    async fn operator(&self) -> Session {
        let system = self.here.system("test").unwrap();
        system.session(self.ada.tenant.id).await.unwrap()
    }

    /// Who is in, by the first node and by the second.
    async fn is_in(&self, bearer: &str) -> [bool; 2] {
        let mut is_in = [false; 2];
        for (node, is_in) in [&self.here, &self.there].into_iter().zip(&mut is_in) {
            match from(node, None).authenticate(bearer).await {
                Ok(_) => *is_in = true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unauthenticated),
            }
        }
        is_in
    }

    /// At once here, and within a second there.
    async fn is_out_soon(&self, bearer: &str) {
        assert_eq!(self.is_in(bearer).await, [false, true], "the other node has just looked");
        self.clock.advance(A_SECOND);
        assert_eq!(self.is_in(bearer).await, [false, false]);
    }

    async fn count_of(&self, name: &str) -> usize {
        let events = self.operator().await;
        let events = events.events().after(EventPosition::START, 10_000).await.unwrap();
        events.iter().filter(|recorded| recorded.event.name.to_string() == name).count()
    }
}

fn from(crm: &Crm, address: Option<&str>) -> Identity {
    let request_id = crm.new_request_id().unwrap();
    let address = address.map(str::to_owned);
    crm.identity(Arrival { request_id, address, user_agent: None })
}

fn words(error: &Error) -> String {
    format!("{:?} {error} {:?} {:?}", error.kind(), error.fields(), error.existing_id())
}

fn bearer(signed_in: &SignedIn) -> &str {
    signed_in.tokens.access_token.reveal()
}

#[tokio::test]
async fn unknown_wrong_and_disabled_are_answered_alike() {
    let world = World::new().await;
    let mut answers = Vec::new();
    let mut attempt = async |email: &str, password: &str| {
        let before = world.hashes.0.load(Ordering::SeqCst);
        let error = world.sign_in(email, password, "192.0.2.1").await.unwrap_err();
        answers.push((words(&error), world.hashes.0.load(Ordering::SeqCst) - before));
    };
    attempt("nobody@acme.example", PASSWORD).await;
    attempt("no address", PASSWORD).await;
    attempt(EMAIL, OTHER).await;
    attempt(EMAIL, &"x".repeat(10_000)).await;
    let disabled = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    let operator = world.operator().await;
    let owner = world.ada.user.id;
    // A second owner, for the last one stays.
    let new = crm_core::identity::NewUser {
        email: "grace@acme.example".into(),
        full_name: None,
        role: Role::Owner,
    };
    let grace = operator.users().create(new).await.unwrap().user.id;
    let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
    operator.users().update(grace, active, None).await.unwrap();
    operator.users().update(owner, disabled, None).await.unwrap();
    attempt(EMAIL, PASSWORD).await;
    attempt(EMAIL, OTHER).await;
    // Has no password yet.
    attempt("grace@acme.example", PASSWORD).await;
    assert!(answers[0].1 > 0);
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
}

#[tokio::test]
async fn wrong_attempts_are_counted_by_account_and_by_address_and_right_ones_given_back() {
    let world = World::new().await;
    let per_account = world.here.policy().per_account.burst;
    for number in 0..per_account * 3 {
        world
            .sign_in(EMAIL, PASSWORD, "192.0.2.1")
            .await
            .unwrap_or_else(|e| panic!("{number}: {e}"));
    }
    for number in 0..per_account {
        let address = format!("192.0.2.{number}");
        let error = world.sign_in(EMAIL, OTHER, &address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }
    let error = world.sign_in(EMAIL, PASSWORD, "198.51.100.1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    world.clock.advance(world.here.policy().per_account.interval);
    world.sign_in(EMAIL, PASSWORD, "198.51.100.1").await.unwrap();

    let per_address = world.here.policy().per_address.burst;
    for number in 0..per_address {
        let email = format!("nobody{number}@acme.example");
        let error = world.sign_in(&email, OTHER, "203.0.113.1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }
    let error = world.sign_in(EMAIL, PASSWORD, "203.0.113.1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    world.sign_in(EMAIL, PASSWORD, "203.0.113.2").await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_keeps_its_own() {
    let world = World::new().await;
    let own = world.sign_in(EMAIL, PASSWORD, "192.0.2.1").await.unwrap();
    let other = world.sign_in(EMAIL, PASSWORD, "192.0.2.1").await.unwrap();
    assert_eq!(world.is_in(bearer(&own)).await, [true, true]);
    assert_eq!(world.is_in(bearer(&other)).await, [true, true]);
    let session = from(&world.here, None).authenticate(bearer(&own)).await.unwrap();
    let change = ChangePassword { current_password: PASSWORD.into(), new_password: OTHER.into() };
    session.account().change_password(change).await.unwrap();
    assert!(world.is_in(bearer(&own)).await[0], "the own session stays");
    world.is_out_soon(bearer(&other)).await;
    assert_eq!(world.is_in(bearer(&own)).await, [true, true]);
    let ended = from(&world.there, None).refresh(&other.tokens.refresh_token).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Unauthenticated);
    from(&world.there, None).refresh(&own.tokens.refresh_token).await.unwrap();
    assert!(world.sign_in(EMAIL, PASSWORD, "192.0.2.1").await.is_err());
    world.sign_in(EMAIL, OTHER, "192.0.2.1").await.unwrap();
}

/// Refreshes every `pause`, and says for how long it was let.
async fn lasts(world: &World, pause: Duration) -> Duration {
    let mut token = world.ada.tokens.refresh_token.clone();
    let mut lasted = Duration::ZERO;
    loop {
        world.clock.advance(pause);
        match from(&world.here, None).refresh(&token).await {
            Ok(tokens) => (token, lasted) = (tokens.refresh_token, lasted + pause),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unauthenticated);
                return lasted;
            }
        }
    }
}

#[tokio::test]
async fn a_session_ends_by_itself_at_rest_and_at_last() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let policy = World::new().await.here.policy().clone();
    assert_eq!((policy.idle, policy.lasts), (30 * DAY, 90 * DAY));
    assert_eq!(lasts(&World::new().await, policy.idle).await, Duration::ZERO);
    let used = lasts(&World::new().await, policy.idle - DAY).await;
    assert_eq!(used, 3 * (policy.idle - DAY), "as often as it is used, but not beyond 90 days");
    assert_eq!(lasts(&World::new().await, DAY).await, policy.lasts - DAY);
}

#[tokio::test]
async fn what_ends_a_session_is_seen_at_once_here_and_within_a_second_there() {
    let world = World::new().await;
    let signed_in = world.sign_in(EMAIL, PASSWORD, "192.0.2.1").await.unwrap();
    assert_eq!(world.is_in(bearer(&signed_in)).await, [true, true]);
    let session = from(&world.here, None).authenticate(bearer(&signed_in)).await.unwrap();
    session.account().sign_out(None).await.unwrap();
    world.is_out_soon(bearer(&signed_in)).await;

    // A role that was taken away.
    let signed_in = world.sign_in(EMAIL, PASSWORD, "192.0.2.1").await.unwrap();
    assert_eq!(world.is_in(bearer(&signed_in)).await, [true, true]);
    let operator = world.operator().await;
    let new = crm_core::identity::NewUser {
        email: "grace@acme.example".into(),
        full_name: None,
        role: Role::Owner,
    };
    let grace = operator.users().create(new).await.unwrap().user.id;
    let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
    operator.users().update(grace, active, None).await.unwrap();
    assert_eq!(world.is_in(bearer(&signed_in)).await, [true, true]);
    let viewer = UserPatch { role: Role::Viewer.into(), ..UserPatch::default() };
    operator.users().update(world.ada.user.id, viewer, None).await.unwrap();
    let role = async |crm: &Crm| {
        let session = from(crm, None).authenticate(bearer(&signed_in)).await.unwrap();
        session.scope().role()
    };
    assert_eq!(role(&world.here).await, Role::Viewer);
    world.clock.advance(A_SECOND);
    assert_eq!(role(&world.there).await, Role::Viewer);

    let disabled = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    operator.users().update(world.ada.user.id, disabled, None).await.unwrap();
    world.is_out_soon(bearer(&signed_in)).await;
}

#[tokio::test]
async fn a_key_may_what_its_scopes_and_its_role_say_until_it_ends() {
    let world = World::new().await;
    let operator = world.operator().await;
    let expires_at = Some(world.clock.now().after(Duration::from_secs(3600)));
    let new = |scopes: &[&str], role| NewApiKey {
        name: "Key".into(),
        role,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expires_at,
    };
    let reads = operator.api_keys().create(new(&["contacts:read"], Role::Admin)).await.unwrap();
    let session = from(&world.here, None).authenticate(reads.secret.reveal()).await.unwrap();
    session.contacts().count(&Default::default()).await.unwrap();
    let refused = session.contacts().create(NewContact::named("Ada", "L")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "no scope");
    let all: Vec<&str> = crm_core::access::key_scopes().collect();
    let viewer = operator.api_keys().create(new(&all, Role::Viewer)).await.unwrap();
    let session = from(&world.here, None).authenticate(viewer.secret.reveal()).await.unwrap();
    let refused = session.contacts().create(NewContact::named("Ada", "L")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "no role");
    let admin = operator.api_keys().create(new(&all, Role::Admin)).await.unwrap();
    let session = from(&world.here, None).authenticate(admin.secret.reveal()).await.unwrap();
    session.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
    let refused = session.api_keys().create(new(&all, Role::Viewer)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "a key makes no keys");
    let refused = operator.api_keys().create(new(&["api_keys:manage"], Role::Owner)).await;
    assert_eq!(refused.unwrap_err().fields()[0].code, "unknown_scope");

    // Revoked: at once here, within a second there.
    assert_eq!(world.is_in(viewer.secret.reveal()).await, [true, true]);
    operator.api_keys().revoke(viewer.api_key.id).await.unwrap();
    world.is_out_soon(viewer.secret.reveal()).await;
    // Over.
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.is_in(admin.secret.reveal()).await, [false, false]);
    let made_up = format!("{}A", &reads.secret.reveal()[..reads.secret.reveal().len() - 1]);
    assert_eq!(world.is_in(&made_up).await, [false, false]);
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted_once_in_ten_minutes() {
    let world = World::new().await;
    let operator = world.operator().await;
    let new = NewApiKey {
        name: "Key".into(),
        role: Role::Viewer,
        scopes: vec!["contacts:read".into()],
        expires_at: None,
    };
    let key = operator.api_keys().create(new).await.unwrap();
    for (wait, noted) in [(0, 1), (1, 1), (598, 1), (1, 2), (599, 2), (1, 3)] {
        world.clock.advance(Duration::from_secs(wait));
        assert_eq!(world.is_in(key.secret.reveal()).await, [true, true]);
        assert_eq!(world.count_of("api_key.used.v1").await, noted);
    }
    let listed = operator.api_keys().list(&Page::first(5)).await.unwrap().items;
    assert_eq!(listed[0].last_used_at, Some(world.clock.now()));
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_outcome_for_a_day() {
    let world = World::new().await;
    let session = world.operator().await;
    let key = "one".parse().unwrap();
    let Idempotent::First(first) = session.idempotent(&key, b"body").await.unwrap() else {
        panic!("nobody has used the key");
    };
    let kind = session.idempotent(&key, b"body").await.map(|_| ()).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::IdempotencyInProgress);
    let made = first.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
    drop(first);
    let Idempotent::Again(again) = session.idempotent(&key, b"body").await.unwrap() else {
        panic!("it was done before");
    };
    assert_eq!(serde_json::from_str::<crm_core::contacts::Contact>(&again).unwrap(), made);
    let kind = session.idempotent(&key, b"other").await.map(|_| ()).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::IdempotencyKeyReused);
    // Another caller's key is another key.
    let ada = world.here.session(world.ada.tenant.principal(&world.ada.user)).await.unwrap();
    assert!(matches!(ada.idempotent(&key, b"other").await.unwrap(), Idempotent::First(_)));
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert!(matches!(session.idempotent(&key, b"other").await.unwrap(), Idempotent::First(_)));
}
