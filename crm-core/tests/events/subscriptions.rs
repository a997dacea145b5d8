//! One reader.

use std::pin::pin;
use std::time::Duration;

use crm_core::events::{After, Delivery, EventName, EventPosition};
use crm_core::identity::{Arrival, NewApiKey, NewUser, UserPatch, UserStatus};
use crm_core::{Crm, EntityRef, Role, Session};
use futures::FutureExt as _;

use crate::faulty::Faulty;
use crate::{World, contact, next, settle, soon, subject};

#[tokio::test]
async fn a_reader_begins_where_it_wants_to() {
    let world = World::new().await;
    let ada = world.contact("Ada").await;
    let end = world.end().await;
    let events = world.session.events();
    let mut now = events.subscribe(After::Now).await.unwrap();
    assert_eq!(now.position(), end);
    assert!(now.next().now_or_never().is_none(), "nothing has happened since");
    let eve = world.contact("Eve").await;
    assert_eq!(subject(&now.next().await.unwrap()), eve.id.into());

    let mut start = events.subscribe(After::Start).await.unwrap();
    let mut all: Vec<EntityRef> = Vec::new();
    for _ in 0..4 {
        let before = start.position();
        all.push(subject(&start.next().await.unwrap()));
        assert!(start.position() > before);
    }
    let tenant = world.tenant.id;
    assert_eq!((all[0], all[2], all[3]), (tenant.into(), ada.id.into(), eve.id.into()));

    let mut after = events.subscribe(After::Position(end)).await.unwrap();
    assert_eq!(subject(&after.next().await.unwrap()), eve.id.into());
    assert!(after.next_now().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_commit_wakes_every_reader_of_the_tenant_and_none_of_another() {
    let world = World::new().await;
    let other = crate::new_tenant(&world.crm, "other").await;
    let other = world.crm.system("a test").unwrap().session(other.id).await.unwrap();
    let subscribe = async |session: &Session| session.events().subscribe(After::Now).await.unwrap();
    let waiting = [next(subscribe(&world.session).await), next(subscribe(&world.session).await)];
    let theirs = next(subscribe(&other).await);
    settle().await;
    let ada = world.contact("Ada").await;
    for task in waiting {
        let (_, delivery) = soon(task).await;
        assert_eq!(subject(&delivery), ada.id.into());
    }
    assert!(!theirs.is_finished());
    let bob = contact(&other, "Bob").await;
    assert_eq!(subject(&soon(theirs).await.1), bob.id.into());
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_wakes_and_so_does_one_that_nobody_waits_for() {
    let world = World::over(Faulty::slow()).await;
    let subscription = world.session.events().subscribe(After::Now).await.unwrap();
    let waiting = next(subscription);
    settle().await;
    world.store.lose_the_next_answer();
    let new = crm_core::contacts::NewContact::named("Ada", "Lost");
    world.session.contacts().create(new.clone()).await.unwrap_err();
    let (subscription, delivery) = soon(waiting).await;
    assert_eq!(name(&delivery), EventName::ContactCreated);

    let waiting = next(subscription);
    settle().await;
    {
        let contacts = world.session.contacts();
        let mut dropped = pin!(contacts.create(new));
        // As far as the store has it, and no further.
        while world.end().await == position(&delivery) {
            assert!(futures::poll!(&mut dropped).is_pending());
        }
    }
    assert_eq!(name(&soon(waiting).await.1), EventName::ContactCreated);
}

fn name(delivery: &Delivery) -> EventName {
    match delivery {
        Delivery::Event(recorded) => recorded.event.name,
        Delivery::Reset(_) => panic!("reset"),
    }
}

fn position(delivery: &Delivery) -> EventPosition {
    match delivery {
        Delivery::Event(recorded) => recorded.position,
        Delivery::Reset(position) => *position,
    }
}

#[tokio::test]
async fn a_reader_that_is_dropped_at_any_poll_loses_nothing() {
    let mut store = Faulty::default();
    store.slow_reads = true;
    let world = World::over(store).await;
    for number in 0..20 {
        world.contact(&format!("N{number}")).await;
    }
    let all = world.session.events().after(EventPosition::START, 1000).await.unwrap();
    let mut subscription = world.session.events().subscribe(After::Start).await.unwrap();
    let mut seen = Vec::new();
    let mut polls = 0;
    while seen.len() < all.len() {
        polls = polls % 5 + 1;
        let mut waiting = Box::pin(subscription.next());
        for _ in 0..polls {
            if let std::task::Poll::Ready(delivery) = futures::poll!(&mut waiting) {
                seen.push(position(&delivery.unwrap()));
                break;
            }
        }
        // Events that come while somebody reads are not lost either.
        drop(waiting);
        assert_eq!(subscription.position(), seen.last().copied().unwrap_or_default());
    }
    let all: Vec<EventPosition> = all.iter().map(|recorded| recorded.position).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_reader_of_what_is_forgotten_or_of_another_log_is_told() {
    let world = World::new().await;
    world.contact("Ada").await;
    let horizon = world.end().await;
    world.clock.advance(Duration::from_secs(1));
    world.forget().await;
    let events = world.session.events();
    for far in [false, true] {
        let eve = world.contact("Eve").await;
        let end = world.end().await;
        let wrong = if far { [end.0 + 9, u64::MAX] } else { [0, horizon.0 - 1] };
        for position in wrong.map(EventPosition) {
            let mut reader = events.subscribe(After::Position(position)).await.unwrap();
            let first = reader.next().await.unwrap();
            let end = world.end().await;
            assert!(matches!(first, Delivery::Reset(at) if at == end), "{position:?}: {first:?}");
            assert_eq!(reader.position(), end);
            assert!(reader.next().now_or_never().is_none());
            let mia = world.contact("Mia").await;
            assert_eq!(subject(&reader.next().await.unwrap()), mia.id.into());
        }
        let after = After::Position(EventPosition(end.0 - 1));
        let mut reader = events.subscribe(after).await.unwrap();
        assert_eq!(subject(&reader.next().await.unwrap()), eve.id.into(), "all of it is there");
    }
}

#[tokio::test]
async fn a_reader_that_waits_for_long_is_told_what_was_forgotten_meanwhile() {
    let world = World::new().await;
    let mut reader = world.session.events().subscribe(After::Now).await.unwrap();
    assert!(reader.next().now_or_never().is_none());
    world.contact("Ada").await;
    world.clock.advance(Duration::from_secs(7200));
    world.forget().await;
    world.contact("Eve").await;
    assert!(matches!(reader.next().await.unwrap(), Delivery::Reset(_)));
}

async fn user(world: &World, role: Role) -> Session {
    let users = world.session.users();
    let email = format!("{role}@acme.example");
    let user = users.create(NewUser { email, full_name: None, role }).await.unwrap().user;
    let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
    let user = users.update(user.id, active, None).await.unwrap();
    world.crm.session(world.tenant.principal(&user)).await.unwrap()
}

async fn key(world: &World, crm: &Crm, scope: &str) -> Session {
    let new = NewApiKey {
        name: scope.into(),
        role: Role::Admin,
        scopes: vec![scope.into()],
        expires_at: None,
    };
    let key = world.session.api_keys().create(new).await.unwrap();
    let request_id = crm.new_request_id().unwrap();
    let arrival = Arrival { request_id, address: None, user_agent: None };
    crm.identity(arrival).authenticate(key.secret.reveal()).await.unwrap()
}

#[tokio::test]
async fn everybody_sees_what_they_may_read() {
    let world = World::new().await;
    let (agent, admin) = (user(&world, Role::Agent).await, user(&world, Role::Admin).await);
    let contacts = key(&world, &world.crm, "contacts:read").await;
    let companies = key(&world, &world.crm, "companies:read").await;
    let mut readers = Vec::new();
    for session in [&agent, &admin, &contacts, &companies] {
        readers.push(session.events().subscribe(After::Now).await.unwrap());
    }
    world.contact("Ada").await;
    // What a key is made of is for administrators.
    key(&world, &world.crm, "jobs:read").await;
    let new = crm_core::companies::NewCompany { name: "Initech".into(), domain: None };
    world.session.companies().create(new).await.unwrap();
    let mut seen: Vec<Vec<EventName>> = Vec::new();
    for reader in &mut readers {
        let deliveries = reader.next_now().await.unwrap();
        seen.push(deliveries.iter().map(name).collect());
        assert_eq!(reader.position(), world.end().await, "what is not seen is passed, too");
    }
    use EventName::{ApiKeyCreated, CompanyCreated, ContactCreated};
    assert_eq!(seen[0], [ContactCreated, CompanyCreated]);
    assert!(seen[1].contains(&ApiKeyCreated), "{:?}", seen[1]);
    assert_eq!(seen[2], [ContactCreated]);
    assert_eq!(seen[3], [CompanyCreated]);
}
