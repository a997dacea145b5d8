//! What nodes share, in memory, with a fault each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crm_conformance::{
    BusFactory, CacheFactory, Configuration, FreshBus, FreshCache, FreshLimits, FreshPresence,
    LimitsFactory, Outage, PresenceFactory, TestClock,
};
use crm_core::ports::{
    Allowance, Cache, Cached, Clock as _, EventBus, Limits, LocalLimits, LocalPresence, News,
    Presence, Quota,
};
use crm_core::presence::{Connected, Present};
use crm_core::{Result, TenantId, Timestamp};
use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use uuid::Uuid;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: the wrapper itself is right.
    None,

    /// News of anything but the log are not told.
    TellsEventsOnly,
    /// One listener of a node is all that hears.
    HasOneListener,
    /// What was told once is not told again.
    TellsOnce,
    /// For a while after news were heard, the same are not told.
    TellsTooEarly,
    /// Nobody hears that the bus was away.
    HidesOutages,
    /// Nothing is heard any more once the bus was away.
    StaysAway,
    /// Telling takes a while.
    Waits,
    /// Telling takes a while where the bus is away.
    WaitsWhileAway,

    /// Only the connection that came last is known.
    KnowsTheLast,
    /// A connection is counted each time that it is told of.
    CountsTwice,
    /// Who is here stays.
    Stays,
    /// The first time that a connection lasts is the only one.
    LastsOnce,
    /// Whoever has gone is still here.
    NobodyLeaves,
    /// All tenants are one.
    IsOneTenant,

    /// Nothing is kept.
    Forgets,
    /// Values are kept for ever.
    KeepsForEver,
    /// One key is forgotten of several.
    ForgetsOne,
    /// A node forgets only what it has put itself.
    ForgetsItsOwn,
    /// Tickets are not looked at.
    IgnoresTickets,
    /// Any ticket of the key is as good as its first.
    RepeatsTickets,

    /// Each node counts for itself.
    CountsAlone,
    /// A little more than the quota is allowed.
    AllowsMore,
    /// All keys are one.
    CountsTogether,
    /// What is given back is lost.
    KeepsGiven,
    /// What is given back adds to what there is.
    GivesMore,
    /// Reads and writes are two steps.
    Races,
}

// ---- the bus ----

#[derive(Default)]
struct Hub {
    listeners: Mutex<[Vec<mpsc::UnboundedSender<News>>; 2]>,
    told: Mutex<Vec<News>>,
    heard_at: Mutex<HashMap<News, Duration>>,
    is_away: AtomicBool,
    was_away: AtomicBool,
}

struct PlantedBus {
    hub: Arc<Hub>,
    node: usize,
    fault: Fault,
    started: tokio::time::Instant,
}

impl Hub {
    fn pass_on(&self, node: usize, news: News, most: usize) {
        for listener in self.listeners.lock().unwrap()[node].iter().take(most) {
            drop(listener.unbounded_send(news));
        }
    }
}

impl EventBus for PlantedBus {
    fn tell(&self, news: News) {
        let is_away = self.hub.is_away.load(Ordering::SeqCst);
        let waits = self.fault == Fault::Waits || is_away && self.fault == Fault::WaitsWhileAway;
        if waits {
            std::thread::sleep(Duration::from_millis(1));
        }
        let silent = match self.fault {
            Fault::TellsEventsOnly => !matches!(news, News::Events(_)),
            Fault::TellsOnce => {
                let mut told = self.hub.told.lock().unwrap();
                let repeated = told.contains(&news);
                told.push(news);
                repeated
            }
            Fault::TellsTooEarly => {
                let (now, mut heard_at) =
                    (self.started.elapsed(), self.hub.heard_at.lock().unwrap());
                let early =
                    heard_at.get(&news).is_some_and(|at| now - *at < Duration::from_millis(20));
                if !early {
                    heard_at.insert(news, now);
                }
                early
            }
            Fault::StaysAway => self.hub.was_away.load(Ordering::SeqCst),
            _ => false,
        };
        if !silent && !is_away {
            let most = if self.fault == Fault::HasOneListener { 1 } else { usize::MAX };
            self.hub.pass_on(1 - self.node, news, most);
        }
    }

    fn listen(&self) -> BoxStream<'static, News> {
        let (sender, receiver) = mpsc::unbounded();
        self.hub.listeners.lock().unwrap()[self.node].push(sender);
        receiver.boxed()
    }

    fn is_up(&self) -> bool {
        !self.hub.is_away.load(Ordering::SeqCst)
    }
}

struct PlantedOutage(Arc<Hub>, Fault);

#[async_trait]
impl Outage for PlantedOutage {
    async fn begin(&self) {
        self.0.is_away.store(true, Ordering::SeqCst);
    }

    async fn end(&self) {
        self.0.is_away.store(false, Ordering::SeqCst);
        self.0.was_away.store(true, Ordering::SeqCst);
        if self.1 != Fault::HidesOutages {
            for node in [0, 1] {
                self.0.pass_on(node, News::Missed, usize::MAX);
            }
        }
    }
}

// ---- presence ----

struct PlantedPresence {
    inner: LocalPresence,
    fault: Fault,
    known: Mutex<HashMap<Connected, (Timestamp, Duration)>>,
}

impl PlantedPresence {
    fn tenant(&self, tenant: TenantId) -> TenantId {
        if self.fault == Fault::IsOneTenant { TenantId::from_uuid(Uuid::nil()) } else { tenant }
    }
}

#[async_trait]
impl Presence for PlantedPresence {
    async fn here(
        &self,
        tenant: TenantId,
        connected: &[Connected],
        now: Timestamp,
        lasts: Duration,
    ) -> Result<()> {
        let mut connected = connected.to_vec();
        let mut now = now;
        match self.fault {
            Fault::KnowsTheLast => drop(connected.drain(..connected.len().saturating_sub(1))),
            Fault::CountsTwice => {
                let mut known = self.known.lock().unwrap();
                for one in &mut connected {
                    if known.insert(*one, (now, lasts)).is_some() {
                        one.connection = Uuid::from_u128(one.connection.as_u128() + 1_000_000);
                    }
                }
            }
            Fault::Stays => now = now.after(lasts * 100),
            Fault::LastsOnce => {
                let mut known = self.known.lock().unwrap();
                connected.retain(|one| known.insert(*one, (now, lasts)).is_none());
            }
            _ => {}
        }
        self.inner.here(self.tenant(tenant), &connected, now, lasts).await
    }

    async fn gone(&self, tenant: TenantId, connected: Connected) -> Result<()> {
        if self.fault == Fault::NobodyLeaves {
            return Ok(());
        }
        self.inner.gone(self.tenant(tenant), connected).await
    }

    async fn present(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Present>> {
        self.inner.present(self.tenant(tenant), now).await
    }
}

// ---- the cache ----

/// A key's ticket, or its value, until when, and who put it.
#[derive(Clone)]
enum Held {
    Ticket(u64),
    Value(Bytes, Timestamp, usize),
}

#[derive(Default)]
struct Memory {
    held: Mutex<HashMap<(TenantId, String), Held>>,
    tickets: AtomicU64,
}

struct PlantedCache {
    memory: Arc<Memory>,
    node: usize,
    fault: Fault,
    clock: TestClock,
}

impl PlantedCache {
    fn key(&self, tenant: TenantId, key: &str) -> (TenantId, String) {
        let all = TenantId::from_uuid(Uuid::nil());
        (if self.fault == Fault::IsOneTenant { all } else { tenant }, key.to_owned())
    }
}

#[async_trait]
impl Cache for PlantedCache {
    async fn get(&self, tenant: TenantId, key: &str) -> Result<Cached> {
        let mut all = self.memory.held.lock().unwrap();
        match all.get(&self.key(tenant, key)) {
            Some(Held::Value(value, until, _))
                if *until > self.clock.now() || self.fault == Fault::KeepsForEver =>
            {
                return Ok(Cached::Hit(value.clone()));
            }
            Some(Held::Ticket(ticket)) => return Ok(Cached::Miss(*ticket)),
            _ => {}
        }
        let mut ticket = self.memory.tickets.fetch_add(1, Ordering::SeqCst);
        if self.fault == Fault::RepeatsTickets {
            ticket = 7;
        }
        all.insert(self.key(tenant, key), Held::Ticket(ticket));
        Ok(Cached::Miss(ticket))
    }

    async fn put(
        &self,
        tenant: TenantId,
        key: &str,
        ticket: u64,
        value: Bytes,
        lasts: Duration,
    ) -> Result<()> {
        let mut all = self.memory.held.lock().unwrap();
        let (key, until) = (self.key(tenant, key), self.clock.now().after(lasts));
        let good = matches!(all.get(&key), Some(Held::Ticket(held)) if *held == ticket);
        if (good || self.fault == Fault::IgnoresTickets) && self.fault != Fault::Forgets {
            all.insert(key, Held::Value(value, until, self.node));
        }
        Ok(())
    }

    async fn forget(&self, tenant: TenantId, keys: &[String]) -> Result<()> {
        let most = if self.fault == Fault::ForgetsOne { 1 } else { usize::MAX };
        let mut all = self.memory.held.lock().unwrap();
        for key in keys.iter().take(most) {
            let key = self.key(tenant, key);
            let foreign =
                matches!(all.get(&key), Some(Held::Value(_, _, node)) if *node != self.node);
            if !(foreign && self.fault == Fault::ForgetsItsOwn) {
                all.remove(&key);
            }
        }
        Ok(())
    }
}

// ---- limits ----

struct PlantedLimits {
    inner: LocalLimits,
    fault: Fault,
    counts: Mutex<HashMap<String, Timestamp>>,
    given: AtomicU64,
}

impl PlantedLimits {
    fn key<'a>(&self, key: &'a str) -> &'a str {
        if self.fault == Fault::CountsTogether { "" } else { key }
    }
}

#[async_trait]
impl Limits for PlantedLimits {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Allowance> {
        if self.fault == Fault::Races {
            let before = self.counts.lock().unwrap().get(key).copied();
            tokio::task::yield_now().await;
            let (allowance, after) = quota.decide(before, now);
            if let Some(after) = after {
                self.counts.lock().unwrap().insert(key.to_owned(), after);
            }
            return Ok(allowance);
        }
        let more = u32::from(self.fault == Fault::AllowsMore);
        let quota = Quota { burst: quota.burst + more, ..quota };
        let mut taken = self.inner.take(self.key(key), quota, now).await?;
        if !taken.allowed && self.given.load(Ordering::SeqCst) > 0 {
            self.given.fetch_sub(1, Ordering::SeqCst);
            taken.allowed = true;
        }
        Ok(taken)
    }

    async fn give_back(&self, key: &str, quota: Quota, now: Timestamp) -> Result<()> {
        match self.fault {
            Fault::KeepsGiven => Ok(()),
            Fault::GivesMore => {
                self.given.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            _ => self.inner.give_back(self.key(key), quota, now).await,
        }
    }
}

// ---- what catches them ----

struct With(Fault);

#[async_trait]
impl BusFactory for With {
    async fn fresh(&self) -> Result<FreshBus> {
        let hub = Arc::new(Hub::default());
        let started = tokio::time::Instant::now();
        let node = |node| {
            let bus = PlantedBus { hub: Arc::clone(&hub), node, fault: self.0, started };
            Arc::new(bus) as Arc<dyn EventBus>
        };
        Ok(FreshBus::new([node(0), node(1)], PlantedOutage(Arc::clone(&hub), self.0)))
    }
}

#[async_trait]
impl PresenceFactory for With {
    async fn fresh(&self) -> Result<FreshPresence> {
        let (inner, known) = (LocalPresence::default(), Mutex::default());
        let one: Arc<dyn Presence> = Arc::new(PlantedPresence { inner, fault: self.0, known });
        Ok(FreshPresence::new([Arc::clone(&one), one]))
    }
}

#[async_trait]
impl CacheFactory for With {
    async fn fresh(&self) -> Result<FreshCache> {
        let (memory, clock) = (Arc::new(Memory::default()), TestClock::default());
        let node = |node| {
            let (memory, clock) = (Arc::clone(&memory), clock.clone());
            Arc::new(PlantedCache { memory, node, fault: self.0, clock }) as Arc<dyn Cache>
        };
        Ok(FreshCache::new([node(0), node(1)], clock.clone()))
    }
}

#[async_trait]
impl LimitsFactory for With {
    async fn fresh(&self) -> Result<FreshLimits> {
        let make = || {
            let (inner, counts, given) = Default::default();
            Arc::new(PlantedLimits { inner, fault: self.0, counts, given }) as Arc<dyn Limits>
        };
        let one = make();
        let other = if self.0 == Fault::CountsAlone { make() } else { Arc::clone(&one) };
        Ok(FreshLimits::new([one, other]))
    }
}

fn caught(by: &[(&'static str, Fault)], configuration: fn(Fault) -> Configuration) {
    let faults: Vec<_> = by.iter().map(|(case, fault)| (*case, configuration(*fault))).collect();
    crate::every_fault_is_caught(&configuration(Fault::None), &faults);
}

#[test]
fn every_case_of_the_bus_catches_its_fault() {
    let by = [
        ("news_reach_the_other_nodes", Fault::TellsEventsOnly),
        ("news_reach_the_other_nodes", Fault::HasOneListener),
        ("news_are_heard_after_the_last_telling", Fault::TellsOnce),
        ("news_are_heard_after_the_last_telling", Fault::TellsTooEarly),
        ("who_may_have_missed_news_is_told", Fault::HidesOutages),
        ("who_may_have_missed_news_is_told", Fault::StaysAway),
        ("telling_does_not_wait", Fault::Waits),
        ("telling_does_not_wait", Fault::WaitsWhileAway),
    ];
    caught(&by, |fault| Configuration::bus("planted", With(fault)));
}

#[test]
fn every_case_of_presence_catches_its_fault() {
    let by = [
        ("who_is_here_is_told", Fault::KnowsTheLast),
        ("who_is_here_is_told", Fault::CountsTwice),
        ("who_is_here_is_told", Fault::NobodyLeaves),
        ("who_is_not_heard_of_is_gone", Fault::Stays),
        ("who_is_not_heard_of_is_gone", Fault::LastsOnce),
        ("presence_is_per_tenant", Fault::IsOneTenant),
    ];
    caught(&by, |fault| Configuration::presence("planted", With(fault)));
}

#[test]
fn every_case_of_the_cache_catches_its_fault() {
    let by = [
        ("what_was_put_is_known", Fault::Forgets),
        ("what_was_put_is_known", Fault::KeepsForEver),
        ("what_is_forgotten_is_not_known", Fault::ForgetsOne),
        ("what_is_forgotten_is_not_known", Fault::ForgetsItsOwn),
        ("what_was_read_before_is_not_put", Fault::IgnoresTickets),
        ("what_was_read_before_is_not_put", Fault::RepeatsTickets),
        ("caches_are_per_tenant", Fault::IsOneTenant),
    ];
    caught(&by, |fault| Configuration::cache("planted", With(fault)));
}

#[test]
fn every_case_of_limits_catches_its_fault() {
    let by = [
        ("limits_count_by_the_rule", Fault::AllowsMore),
        ("limits_count_by_the_rule", Fault::CountsAlone),
        ("keys_are_counted_apart", Fault::CountsTogether),
        ("what_is_given_back_is_taken_again", Fault::KeepsGiven),
        ("what_is_given_back_is_taken_again", Fault::GivesMore),
        ("who_takes_at_once_takes_no_more", Fault::Races),
    ];
    caught(&by, |fault| Configuration::limits("planted", With(fault)));
}
