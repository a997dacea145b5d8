//! What other nodes do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crm_core::events::{After, News};
use crm_core::identity::{NewUser, UserPatch, UserStatus};
use crm_core::jobs::{NewJob, Next};
use crm_core::ports::EventBus as _;
use crm_core::{ErrorKind, Role};
use futures::future::{self, BoxFuture};

use crate::{Boxed as _, TestBus, World, contact, next, relay, settle, soon, subject};

#[tokio::test]
async fn the_bus_brings_the_commits_of_others() {
    let world = World::new().await;
    let (here, there) = world.two_nodes();
    let (here, there) = (world.session_on(&here).await, world.session_on(&there).await);
    let mut waiting = next(there.events().subscribe(After::Now).await.unwrap());
    for name in ["Ada", "Eve", "Mia"] {
        settle().await;
        assert!(!waiting.is_finished());
        let made = contact(&here, name).await;
        let (subscription, delivery) = soon(waiting).await;
        assert_eq!(subject(&delivery), made.id.into());
        waiting = next(subscription);
    }
}

#[tokio::test]
async fn without_a_bus_the_log_is_looked_at() {
    let world = World::new().await;
    let there = world.node().build().unwrap();
    let looks = Arc::new(AtomicUsize::new(0));
    let (counted, now) = (Arc::clone(&looks), Arc::new(tokio::sync::Notify::new()));
    let time = Arc::clone(&now);
    relay(&there, move |pause| {
        assert!(pause < Duration::from_secs(1), "nobody else tells");
        counted.fetch_add(1, Ordering::SeqCst);
        let time = Arc::clone(&time);
        async move { time.notified().await }.boxed_future()
    });
    let session = world.session_on(&there).await;
    let waiting = next(session.events().subscribe(After::Now).await.unwrap());
    settle().await;
    let ada = world.contact("Ada").await;
    settle().await;
    assert!(!waiting.is_finished(), "nobody has told");
    now.notify_one();
    assert_eq!(subject(&soon(waiting).await.1), ada.id.into());
    settle().await;
    assert_eq!(looks.load(Ordering::SeqCst), 2, "it goes on looking");
}

#[tokio::test]
async fn a_user_who_was_disabled_elsewhere_is_refused_at_once() {
    let world = World::new().await;
    let (here, there) = world.two_nodes();
    settle().await;
    let users = world.session_on(&here).await;
    let new = NewUser { email: "eve@acme.example".into(), full_name: None, role: Role::Agent };
    let eve = users.users().create(new).await.unwrap().user;
    let status = |status: UserStatus| UserPatch { status: status.into(), ..UserPatch::default() };
    let eve = users.users().update(eve.id, status(UserStatus::Active), None).await.unwrap();
    settle().await;
    let principal = world.tenant.principal(&eve);
    there.session(principal).await.unwrap();
    users.users().update(eve.id, status(UserStatus::Disabled), None).await.unwrap();
    settle().await;
    let refused = there.session(principal).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
}

/// Time that stands still.
fn at_once_or_never(pause: Duration) -> BoxFuture<'static, ()> {
    if pause.is_zero() {
        future::ready(()).boxed_future()
    } else {
        future::pending().boxed_future()
    }
}

#[tokio::test]
async fn a_worker_hears_of_jobs_of_others() {
    let world = World::new().await;
    let (here, there) = world.two_nodes();
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let worker = there.worker().handle("letters.send", move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Next::Done) }
    });
    tokio::spawn(async move { worker.run(at_once_or_never, future::pending()).await });
    settle().await;
    let here = world.session_on(&here).await;
    for number in 1..4 {
        here.jobs().enqueue(NewJob::new("letters.send", &number).unwrap()).await.unwrap();
        settle().await;
        assert_eq!(done.load(Ordering::SeqCst), number);
    }
}

#[tokio::test]
async fn who_may_have_missed_something_looks_at_everything() {
    let world = World::new().await;
    let [silent, there] = TestBus::nodes();
    let node = world.node().bus(there).build().unwrap();
    relay(&node, |_| future::pending().boxed_future());
    let session = world.session_on(&node).await;
    let waiting = next(session.events().subscribe(After::Now).await.unwrap());
    settle().await;
    let ada = world.contact("Ada").await;
    settle().await;
    assert!(!waiting.is_finished());
    silent.tell(News::Missed);
    assert_eq!(subject(&soon(waiting).await.1), ada.id.into());
}

#[tokio::test]
async fn a_relay_ends_when_it_is_told_to() {
    let world = World::new().await;
    let relay = world.crm.relay();
    relay.run(|_| future::pending(), future::ready(())).await;
}
