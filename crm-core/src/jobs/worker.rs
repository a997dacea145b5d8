//! Runs jobs. The host runs the worker; nothing is spawned.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::{FutureExt as _, future};
use serde::de::DeserializeOwned;

use super::model::{
    Claim, ClaimedJob, Job, JobEnd, JobKind, Lease, LeaseUse, MAX_FAILURE, NewJob, Settlement,
    next_time, pause_after,
};
use super::store::DueSchedule;
use crate::crm::Crm;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{JobId, TenantId};
use crate::scope::{SystemScope, TenantScope};
use crate::session::Session;
use crate::time::Timestamp;

/// How long a worker has a job before another may take it, unless it says that it is still at it.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a worker says so.
const BEAT: Duration = Duration::from_secs(10);
/// How often schedules and carriers without webhooks are asked, and old events are looked for.
const CHORES: Duration = Duration::from_secs(1);
/// A worker without work looks again after this, twice this and so on to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Jobs that are run at once where nothing is said.
const AT_ONCE: usize = 50;

type Handle = dyn Fn(AtWork) -> BoxFuture<'static, Result<Next>> + Send + Sync;

/// What a handler says of its job when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Done,
    /// It is to be run again after this, and the try does not count.
    Later(Duration),
}

/// A job in the hands of its handler.
#[derive(Clone)]
pub struct AtWork {
    crm: Crm,
    claimed: Arc<ClaimedJob>,
    completed: Arc<AtomicBool>,
}

impl AtWork {
    /// The job.
    pub fn job(&self) -> &Job {
        &self.claimed.job
    }

    /// What the job is about.
    ///
    /// # Errors
    ///
    /// `malformed` when the payload has not this shape.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.claimed.job.payload).map_err(|error| {
            Error::new(ErrorKind::Malformed, "the job's payload has another shape")
                .with_source(error)
        })
    }

    /// Counts the claims of the job, from 1.
    pub(crate) fn claim(&self) -> i64 {
        self.claimed.lease.token
    }

    /// The CRM.
    pub fn crm(&self) -> &Crm {
        &self.crm
    }

    /// A session whose first write completes the job in the same commit, if the lease is still good: the
    /// effect and the end of the job are one. A second write in it is refused.
    pub fn session(&self) -> Session {
        self.session_with(true)
    }

    /// A session whose writes are refused once the lease is lost, and leave the job as it is.
    pub fn step(&self) -> Session {
        self.session_with(false)
    }

    fn session_with(&self, completes: bool) -> Session {
        let scope = TenantScope::of_system(
            self.claimed.lease.tenant,
            self.claimed.region,
            self.claimed.job.request_id.clone(),
        );
        let lease = LeaseUse { lease: self.claimed.lease, completes };
        let session = Session::new(Arc::clone(self.crm.core()), scope);
        session.under(lease, Arc::clone(&self.completed))
    }
}

impl fmt::Debug for AtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtWork").field("job", &self.claimed.job).finish_non_exhaustive()
    }
}

/// Runs the jobs of every tenant: the CRM's own, and those of kinds that the host has handlers for.
///
/// ```
/// # use crm_core::{Crm, jobs::Next, memory::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let crm = Crm::builder(MemoryStore::default()).build()?;
/// let worker = crm.worker().handle("letters.send", |job| async move {
///     let letter: u32 = job.payload()?;
///     // Whatever this session writes is kept together with the end of the job.
///     let _session = job.session();
///     tracing::info!(letter, "sent");
///     Ok(Next::Done)
/// });
/// let shutdown = async {}; // e.g. a signal
/// worker.run(tokio::time::sleep, shutdown).await;
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
pub struct Worker {
    crm: Crm,
    handlers: BTreeMap<JobKind, Box<Handle>>,
    /// Of kinds that have one: how many run at once.
    limits: BTreeMap<JobKind, usize>,
    at_once: usize,
    drain: Duration,
}

/// A job that runs.
struct Running {
    kind: JobKind,
    lease: Lease,
    abort: AbortHandle,
}

/// What a worker waits for.
enum Event {
    Finished(Lease, Option<JobEnd>),
    Claimed(usize, Result<Vec<ClaimedJob>>),
    Settled(Vec<Settlement>, Result<()>),
    SettleAgain,
    Kept(Vec<Lease>, Result<Vec<Lease>>),
    ChoresDone,
    /// Old events were forgotten; whether there are more.
    Forgotten(bool),
    Forget,
    /// It is time to look for jobs.
    Look,
    /// Jobs were enqueued in this process.
    Rung,
    Beat,
    Chores,
    Stop,
    Drained,
}

/// What a running worker knows.
#[derive(Default)]
struct State {
    running: BTreeMap<(TenantId, JobId), Running>,
    /// Claimed, of kinds of which no more may run at the moment.
    waiting: Vec<ClaimedJob>,
    unsettled: Vec<Settlement>,
    settling: bool,
    claiming: bool,
    /// There may be more where the last jobs came from.
    more: bool,
    looking: bool,
    stopping: bool,
    /// The time that jobs had to finish is over.
    drained: bool,
    pause: Duration,
    last_tenant: Option<TenantId>,
}

impl Worker {
    pub(crate) fn new(crm: Crm) -> Self {
        let mut worker = Worker {
            crm,
            handlers: BTreeMap::new(),
            limits: BTreeMap::new(),
            at_once: AT_ONCE,
            drain: Duration::from_secs(25),
        };
        let notifications = crate::notifications::handlers();
        for (kind, at_once, handle) in crate::calls::handlers().into_iter().chain(notifications) {
            worker.limits.extend(at_once.map(|most| (kind.clone(), most)));
            worker.handlers.insert(kind, handle);
        }
        worker
    }

    /// Runs jobs of `kind` with `handle`. A kind that is none has no jobs; one that has a handler, as the CRM's own
    /// have, keeps it. An error that can be tried again
    /// is, after a pause that grows; one that is the caller's mistake makes the job dead.
    #[must_use]
    pub fn handle<F, R>(mut self, kind: &str, handle: F) -> Self
    where
        F: Fn(AtWork) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Next>> + Send + 'static,
    {
        if let Ok(kind) = kind.parse::<JobKind>() {
            self.handlers.entry(kind).or_insert_with(|| Box::new(move |job| handle(job).boxed()));
        }
        self
    }

    /// Runs at most so many jobs of `kind` at once in this worker, at least one.
    #[must_use]
    pub fn at_once_of(mut self, kind: &str, most: usize) -> Self {
        if let Ok(kind) = kind.parse::<JobKind>() {
            self.limits.insert(kind, most.max(1));
        }
        self
    }

    /// Runs at most so many jobs at once in all, at least one; 50 where nothing is said.
    #[must_use]
    pub fn at_once(mut self, most: usize) -> Self {
        self.at_once = most.max(1);
        self
    }

    /// How long jobs may go on after the shutdown, 25 s where nothing is said. Then they are stopped, and
    /// free for others at once.
    #[must_use]
    pub fn drain_for(mut self, longest: Duration) -> Self {
        self.drain = longest;
        self
    }

    /// Runs jobs until `shutdown` comes, then finishes those that run. `sleep` waits, e.g.
    /// `tokio::time::sleep`.
    pub async fn run<S, F>(&self, sleep: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Fn(Duration) -> F + Sync,
        F: Future<Output = ()> + Send,
    {
        let bell = &self.crm.core().bell;
        let mut state = State { pause: SHORTEST_PAUSE, ..State::default() };
        let mut events: FuturesUnordered<BoxFuture<'_, Event>> = FuturesUnordered::new();
        let after = |pause: Duration, event: Event| sleep(pause).map(move |()| event).boxed();
        events.push(shutdown.map(|()| Event::Stop).boxed());
        events.push(after(BEAT, Event::Beat));
        events.push(after(Duration::ZERO, Event::Chores));
        events.push(after(Duration::ZERO, Event::Forget));
        let listen = |times: u64| bell.after(times).map(move |()| Event::Rung).boxed();
        events.push(listen(bell.times()));
        self.look(&mut state, &events);

        while let Some(event) = events.next().await {
            match event {
                Event::Finished(lease, end) => {
                    state.running.remove(&(lease.tenant, lease.job));
                    state.unsettled.extend(end.map(|end| Settlement { lease, end }));
                    self.start_waiting(&mut state, &events);
                    if state.more {
                        self.look(&mut state, &events);
                    }
                }
                Event::Claimed(limit, claimed) => {
                    state.claiming = false;
                    self.take_up(&mut state, &events, limit, claimed);
                }
                Event::Settled(_, Ok(())) => state.settling = false,
                Event::Settled(settlements, Err(error)) if state.drained => {
                    let jobs = settlements.len();
                    tracing::error!(%error, jobs, "what became of jobs is lost; their leases run out");
                    state.settling = false;
                }
                Event::Settled(settlements, Err(error)) => {
                    tracing::warn!(%error, "what became of jobs cannot be kept; once more");
                    state.unsettled.extend(settlements);
                    events.push(after(LONGEST_PAUSE, Event::SettleAgain));
                }
                Event::SettleAgain => state.settling = false,
                Event::Kept(asked, kept) => match kept {
                    Ok(kept) => state.abort_lost(&asked, &kept),
                    Err(error) => tracing::warn!(%error, "leases cannot be prolonged"),
                },
                Event::ChoresDone => events.push(after(CHORES, Event::Chores)),
                Event::Look => {
                    state.looking = false;
                    self.look(&mut state, &events);
                }
                Event::Rung => {
                    state.pause = SHORTEST_PAUSE;
                    self.look(&mut state, &events);
                    events.push(listen(bell.times()));
                }
                Event::Beat => {
                    events.push(after(BEAT, Event::Beat));
                    let leases = state.leases();
                    if !leases.is_empty() {
                        let kept = async move {
                            let kept = self.keep(&leases).await;
                            Event::Kept(leases, kept)
                        };
                        events.push(kept.boxed());
                    }
                }
                Event::Chores => {
                    if !state.stopping {
                        events.push(self.chores().map(|()| Event::ChoresDone).boxed());
                    }
                }
                Event::Forget => {
                    if !state.stopping {
                        events.push(self.forget_events().map(Event::Forgotten).boxed());
                    }
                }
                Event::Forgotten(more) => {
                    events.push(after(if more { Duration::ZERO } else { CHORES }, Event::Forget));
                }
                Event::Stop => {
                    state.stopping = true;
                    let waiting = std::mem::take(&mut state.waiting);
                    self.release(&mut state, waiting);
                    events.push(after(self.drain, Event::Drained));
                }
                Event::Drained => {
                    state.drained = true;
                    state.running.values().for_each(|job| job.abort.abort());
                }
            }
            if !state.settling && !state.unsettled.is_empty() {
                state.settling = true;
                let settlements = std::mem::take(&mut state.unsettled);
                events.push(self.settle(settlements).boxed());
            }
            if state.stopping
                && !state.claiming
                && state.running.is_empty()
                && !state.settling
                && state.unsettled.is_empty()
            {
                break;
            }
            if !state.looking && !state.stopping && !state.claiming {
                state.looking = true;
                events.push(after(state.pause, Event::Look));
            }
        }
    }

    /// Runs all jobs that are due by the CRM's clock, and those that they enqueue, and says how many tries
    /// that took. For tests and for hosts that have their own way of waiting.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store.
    pub async fn run_due(&self) -> Result<usize> {
        let mut tries = 0;
        while self.forget_events().await {}
        loop {
            self.chores().await;
            let kinds = self.handlers.keys().cloned().collect();
            let claimed = self.claim(kinds, self.at_once, None).await?;
            if claimed.is_empty() {
                return Ok(tries);
            }
            tries += claimed.len();
            let ran = claimed.into_iter().map(|claimed| self.attempt(claimed));
            let ends = future::join_all(ran).await;
            let settlements: Vec<Settlement> = ends
                .into_iter()
                .filter_map(|(lease, end)| Some(Settlement { lease, end: end? }))
                .collect();
            self.crm.core().store.settle_jobs(&self.scope()?, &settlements, self.now()).await?;
        }
    }

    /// Asks for jobs of all kinds that have room.
    fn look<'w>(&'w self, state: &mut State, events: &FuturesUnordered<BoxFuture<'w, Event>>) {
        let limit = self.at_once.saturating_sub(state.running.len());
        if state.stopping || state.claiming || limit == 0 {
            // The answer that is awaited may have been made before.
            state.more = true;
            return;
        }
        state.more = false;
        state.claiming = true;
        let with_room = self.handlers.iter().filter(|(kind, _)| {
            self.limits.get(*kind).is_none_or(|most| state.count(kind) < *most)
        });
        let kinds = with_room.map(|(kind, _)| kind.clone()).collect();
        let last = state.last_tenant;
        let claimed = async move { Event::Claimed(limit, self.claim(kinds, limit, last).await) };
        events.push(claimed.boxed());
    }

    fn take_up<'w>(
        &'w self,
        state: &mut State,
        events: &FuturesUnordered<BoxFuture<'w, Event>>,
        limit: usize,
        claimed: Result<Vec<ClaimedJob>>,
    ) {
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be claimed");
                state.pause = LONGEST_PAUSE;
                return;
            }
        };
        if state.stopping {
            self.release(state, claimed);
            return;
        }
        if claimed.is_empty() {
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        } else {
            state.pause = SHORTEST_PAUSE;
            state.more |= claimed.len() >= limit;
            state.last_tenant = claimed.last().map(|job| job.lease.tenant);
        }
        state.waiting.extend(claimed);
        self.start_waiting(state, events);
        if state.more && state.running.len() < self.at_once {
            self.look(state, events);
        }
    }

    /// Starts what waits and may run.
    fn start_waiting<'w>(
        &'w self,
        state: &mut State,
        events: &FuturesUnordered<BoxFuture<'w, Event>>,
    ) {
        for claimed in std::mem::take(&mut state.waiting) {
            let (lease, kind) = (claimed.lease, claimed.job.kind.clone());
            let most = self.limits.get(&kind).copied();
            let running = || state.running.values().filter(|job| job.kind == kind).count();
            if most.is_some_and(|most| running() >= most) {
                state.waiting.push(claimed);
                continue;
            }
            let (abort, registration) = AbortHandle::new_pair();
            state.running.insert((lease.tenant, lease.job), Running { kind, lease, abort });
            let attempt = Abortable::new(self.attempt(claimed), registration);
            let finished = async move {
                match attempt.await {
                    Ok((lease, end)) => Event::Finished(lease, end),
                    // Free for others; where the lease is lost this says nothing.
                    Err(_) => Event::Finished(lease, Some(JobEnd::Snooze(self.now()))),
                }
            };
            events.push(finished.boxed());
        }
    }

    /// Leaves jobs to others.
    fn release(&self, state: &mut State, claimed: Vec<ClaimedJob>) {
        let end = JobEnd::Snooze(self.now());
        let settled = |job: ClaimedJob| Settlement { lease: job.lease, end: end.clone() };
        state.unsettled.extend(claimed.into_iter().map(settled));
    }

    async fn claim(
        &self,
        kinds: Vec<JobKind>,
        limit: usize,
        after: Option<TenantId>,
    ) -> Result<Vec<ClaimedJob>> {
        let now = self.now();
        let claim = Claim { kinds, limit, after, now, until: now.after(LEASE) };
        self.crm.core().store.claim_jobs(&self.scope()?, &claim).await
    }

    /// Prolongs leases, and says which of them are good.
    async fn keep(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let now = self.now();
        self.crm.core().store.keep_jobs(&self.scope()?, leases, now, now.after(LEASE)).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Event {
        let result = match self.scope() {
            Ok(scope) => self.crm.core().store.settle_jobs(&scope, &settlements, self.now()).await,
            Err(error) => Err(error),
        };
        Event::Settled(settlements, result)
    }

    /// One try. `None` where the job ended in a commit of its own.
    async fn attempt(&self, claimed: ClaimedJob) -> (Lease, Option<JobEnd>) {
        let lease = claimed.lease;
        let kind = claimed.job.kind.clone();
        let claimed = Arc::new(claimed);
        let completed = Arc::new(AtomicBool::new(false));
        let at_work = AtWork {
            crm: self.crm.clone(),
            claimed: Arc::clone(&claimed),
            completed: Arc::clone(&completed),
        };
        let result = match self.handlers.get(&kind) {
            Some(handler) => AssertUnwindSafe(async { handler(at_work).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Error::internal("the handler panicked"))),
            None => Ok(Next::Later(LONGEST_PAUSE)),
        };
        if completed.load(Ordering::Acquire) {
            metrics::counter!("crm_jobs_total", "kind" => kind.to_string(), "end" => "done")
                .increment(1);
            return (lease, None);
        }
        let (end, word) = match result {
            Ok(Next::Done) => (JobEnd::Done, "done"),
            Ok(Next::Later(pause)) => (JobEnd::Snooze(self.now().after(pause)), "later"),
            Err(error) => {
                let hopeless = is_hopeless(&error) && self.holds(lease).await;
                self.end_of(&claimed.job, &error, hopeless)
            }
        };
        metrics::counter!("crm_jobs_total", "kind" => kind.to_string(), "end" => word).increment(1);
        (lease, Some(end))
    }

    /// Whether the lease is good. What a try failed with that has lost it says nothing of the job: its
    /// commits are refused.
    async fn holds(&self, lease: Lease) -> bool {
        self.keep(&[lease]).await.is_ok_and(|kept| kept.contains(&lease))
    }

    fn end_of(&self, job: &Job, error: &Error, hopeless: bool) -> (JobEnd, &'static str) {
        let message: String =
            format!("{}: {}", error.code(), error.message()).chars().take(MAX_FAILURE).collect();
        let (kind, id, request_id) = (job.kind.as_str(), job.id, job.request_id.as_str());
        if job.attempts >= job.max_attempts || hopeless {
            tracing::error!(kind, %id, request_id, ?error, "a job is given up");
            return (JobEnd::Dead(message), "dead");
        }
        tracing::warn!(kind, %id, request_id, ?error, attempts = job.attempts, "a job has failed");
        let mut jitter = [0; 1];
        // Without randomness the pause is the longest.
        let _ = self.crm.core().env.fill(&mut jitter);
        let pause = pause_after(job.attempts, jitter.first().copied().unwrap_or_default());
        let pause = pause.max(error.retry_after().unwrap_or_default());
        (JobEnd::Retry(self.now().after(pause), message), "failed")
    }

    /// Enqueues what schedules want, and takes what carriers have to tell.
    async fn chores(&self) {
        if let Err(error) = self.fire_schedules().await {
            tracing::warn!(%error, "schedules cannot be looked at");
        }
        let now = self.now();
        for telephony in self.crm.core().telephony.values() {
            for request in telephony.take_callbacks(now) {
                let told = self.crm.webhook(telephony.provider(), request).await;
                if let Err(error) = told {
                    tracing::warn!(%error, "what a carrier tells cannot be taken");
                }
            }
        }
    }

    /// Makes a step of the way through old events, beside the other chores: it may take a while. Says whether there
    /// is another to make at once.
    async fn forget_events(&self) -> bool {
        self.crm.core().retention.step(&self.crm).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old events cannot be forgotten");
            false
        })
    }

    async fn fire_schedules(&self) -> Result<()> {
        let due = self.crm.core().store.due_schedules(&self.scope()?, self.now(), 100).await?;
        for due in due {
            match self.fire(due).await {
                // Another worker was faster.
                Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                // The others are of other tenants, and have their time, too.
                Err(error) => tracing::error!(?error, "a schedule cannot be fired"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn fire(&self, due: DueSchedule) -> Result<()> {
        let core = self.crm.core();
        let scope = TenantScope::of_system(due.tenant, due.region, self.crm.new_request_id()?);
        let session = Session::new(Arc::clone(core), scope);
        let mut schedule = due.schedule;
        let mut changes = session.new_changes();
        let job = NewJob::new(schedule.kind.as_str(), &schedule.payload)?
            .unique(format!("schedule {}", schedule.name));
        changes.enqueue(&core.env, job)?;
        schedule.next_at = next_time(&schedule.cron, changes.at())?;
        schedule.version += 1;
        changes.put_schedule(&core.env, schedule)?;
        session.commit(changes).await
    }

    fn now(&self) -> Timestamp {
        self.crm.core().env.now()
    }

    fn scope(&self) -> Result<SystemScope> {
        Ok(SystemScope::new("run jobs", self.crm.new_request_id()?))
    }
}

/// Whether another try would fail in the same way.
fn is_hopeless(error: &Error) -> bool {
    let stale = error.kind() == ErrorKind::VersionConflict;
    error.kind().is_callers() && !error.is_retryable() && !stale
}

impl State {
    /// Jobs of a kind that this worker has.
    fn count(&self, kind: &JobKind) -> usize {
        let running = self.running.values().filter(|job| job.kind == *kind).count();
        running + self.waiting.iter().filter(|claimed| claimed.job.kind == *kind).count()
    }

    fn leases(&self) -> Vec<Lease> {
        let running = self.running.values().map(|job| job.lease);
        running.chain(self.waiting.iter().map(|claimed| claimed.lease)).collect()
    }

    /// Stops jobs whose lease is lost: another worker may have them.
    fn abort_lost(&mut self, asked: &[Lease], kept: &[Lease]) {
        self.waiting.retain(|job| !asked.contains(&job.lease) || kept.contains(&job.lease));
        for lost in asked.iter().filter(|lease| !kept.contains(lease)) {
            let job = self.running.get(&(lost.tenant, lost.job));
            if let Some(job) = job.filter(|job| job.lease == *lost) {
                tracing::warn!(kind = job.kind.as_str(), id = %lost.job, "a job's lease is lost");
                job.abort.abort();
            }
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("kinds", &self.handlers.keys().collect::<Vec<_>>())
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}
