//! Following the event log: on one node and on several, alone and in groups.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../common/clock.rs"]
mod clock;
#[path = "../common/faulty.rs"]
mod faulty;
mod groups;
mod relay;
mod retention;
mod subscriptions;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use clock::TestClock;
use crm_core::contacts::{Contact, NewContact};
use crm_core::events::{Delivery, EventPosition, News, Subscription};
use crm_core::ports::EventBus;
use crm_core::tenancy::{NewTenant, Tenant};
use crm_core::{Crm, CrmBuilder, EntityRef, KeyRing, Region, Session};
use faulty::Faulty;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::{self, BoxFuture};
use futures::stream::BoxStream;
use tokio::task::JoinHandle;

type Listeners = Arc<Mutex<Vec<(usize, UnboundedSender<News>)>>>;

/// A bus of the process: each node hears the others.
#[derive(Clone)]
struct TestBus {
    node: usize,
    listeners: Listeners,
}

impl TestBus {
    fn nodes() -> [TestBus; 2] {
        let listeners = Listeners::default();
        [0, 1].map(|node| TestBus { node, listeners: Arc::clone(&listeners) })
    }
}

impl EventBus for TestBus {
    fn tell(&self, news: News) {
        for (node, listener) in &*self.listeners.lock().unwrap() {
            if *node != self.node {
                listener.unbounded_send(news).ok();
            }
        }
    }

    fn listen(&self) -> BoxStream<'static, News> {
        let (told, heard) = unbounded();
        self.listeners.lock().unwrap().push((self.node, told));
        heard.boxed()
    }

    fn is_up(&self) -> bool {
        true
    }
}

/// A tenant, and nodes over its store.
struct World {
    clock: TestClock,
    store: Faulty,
    crm: Crm,
    tenant: Tenant,
    session: Session,
}

impl World {
    async fn new() -> Self {
        World::over(Faulty::default()).await
    }

    async fn over(store: Faulty) -> Self {
        let clock = TestClock::default();
        let crm = node(&store, &clock).build().unwrap();
        let tenant = new_tenant(&crm, "acme").await;
        let session = crm.system("a test").unwrap().session(tenant.id).await.unwrap();
        World { clock, store, crm, tenant, session }
    }

    fn node(&self) -> CrmBuilder {
        node(&self.store, &self.clock)
    }

    /// Two nodes with a bus between them, the second of which relays; nothing but news wakes anybody there.
    fn two_nodes(&self) -> (Crm, Crm) {
        let [here, there] = TestBus::nodes();
        let here = self.node().bus(here).build().unwrap();
        let there = self.node().bus(there).build().unwrap();
        relay(&there, |_| future::pending().boxed_future());
        (here, there)
    }

    async fn session_on(&self, crm: &Crm) -> Session {
        crm.system("a test").unwrap().session(self.tenant.id).await.unwrap()
    }

    async fn contact(&self, name: &str) -> Contact {
        contact(&self.session, name).await
    }

    async fn end(&self) -> EventPosition {
        let events = self.session.events().after(EventPosition::START, 1000).await.unwrap();
        events.last().unwrap().position
    }

    /// Forgets what happened before now.
    async fn forget(&self) {
        use crm_core::ports::{Clock as _, EventStore as _};
        let (scope, now) = (self.session.scope(), self.clock.now());
        self.store.forget_events(scope, now, 1000).await.unwrap();
    }
}

trait Boxed: Future<Output = ()> + Send + Sized + 'static {
    fn boxed_future(self) -> BoxFuture<'static, ()> {
        Box::pin(self)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Boxed for F {}

fn node(store: &Faulty, clock: &TestClock) -> CrmBuilder {
    let keys = KeyRing::new([("1".to_owned(), [7; 32])]).unwrap();
    Crm::builder(store.clone()).clock(clock.clone()).key_ring(keys)
}

async fn new_tenant(crm: &Crm, name: &str) -> Tenant {
    let new = NewTenant::new(name, format!("owner@{name}.example"), Region::US);
    crm.system("a test").unwrap().create_tenant(new).await.unwrap().0
}

async fn contact(session: &Session, name: &str) -> Contact {
    session.contacts().create(NewContact::named(name, "Person")).await.unwrap()
}

/// Runs the relay of the node for as long as the test.
fn relay(crm: &Crm, sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
    let relay = crm.relay();
    tokio::spawn(async move { relay.run(sleep, future::pending()).await });
}

/// Lets all other tasks go on until they wait.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Waits in a task of its own, which goes on only when it is woken.
fn next(mut subscription: Subscription) -> JoinHandle<(Subscription, Delivery)> {
    tokio::spawn(async move {
        let delivery = subscription.next().await.unwrap();
        (subscription, delivery)
    })
}

/// What comes of a task without time passing.
async fn soon<T>(task: JoinHandle<T>) -> T {
    let mut task = pin!(task);
    for _ in 0..200 {
        if let Poll::Ready(done) = futures::poll!(&mut task) {
            return done.unwrap();
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody has woken the task");
}

fn subject(delivery: &Delivery) -> EntityRef {
    match delivery {
        Delivery::Event(recorded) => recorded.event.subject,
        Delivery::Reset(position) => panic!("reset to {position:?}"),
    }
}
