//! The entrance: a CRM over the ports that the host chose.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::bell::{Bell, Bells};
use crate::changes::{Changes, Write};
use crate::contacts::search::Nicknames;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::events::retention::Retention;
use crate::events::{News, Relay};
use crate::id::{TenantId, UserId};
use crate::idempotency::Running;
use crate::identity::{
    Arrival, Identity, JsonWebKeySet, Secret, SignInPolicy, Standing, StandingOf, TokenAlgorithm,
    TokenKey, TokenKeys, User, UserStatus,
};
use crate::jobs::{JobState, NewJob, Worker};
use crate::key_ring::KeyRing;
use crate::notifications::{NOTIFY, NotificationChannel, may_notify};
use crate::ports::{
    Allowance, Blobs, Clock, EventBus, Limits, LocalBus, LocalLimits, LocalPresence, MemoryBlobs,
    Presence, Quota, Randomness, Store, SystemClock, SystemRandomness, Telephony, WorkerThreads,
    Workers,
};
use crate::scope::{Actor, Proof, RequestId, SystemScope, TenantScope};
use crate::session::Session;
use crate::standing::{Standings, Touched};
use crate::tenancy::{System, Tenant};
use crate::time::Timestamp;

/// How long events can be read where nothing is said.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A CRM over a store. Cheap to clone; one serves every tenant and every task.
///
/// ```
/// # use crm_core::{Crm, memory::MemoryStore};
/// let crm = Crm::builder(MemoryStore::default()).build()?;
/// # Ok::<(), crm_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Crm {
    core: Arc<Core>,
}

/// What all sessions share.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) env: Env,
    pub(crate) nicknames: Nicknames,
    pub(crate) workers: Arc<dyn Workers>,
    pub(crate) limits: Arc<dyn Limits>,
    pub(crate) token_keys: TokenKeys,
    pub(crate) key_ring: KeyRing,
    pub(crate) policy: SignInPolicy,
    pub(crate) standings: Standings,
    pub(crate) running: Arc<Running>,
    pub(crate) telephony: BTreeMap<String, Arc<dyn Telephony>>,
    pub(crate) notification_channels: BTreeMap<String, Arc<dyn NotificationChannel>>,
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Rings for jobs.
    pub(crate) bell: Arc<Bell>,
    /// Ring for events.
    pub(crate) bells: Bells,
    pub(crate) bus: Arc<dyn EventBus>,
    pub(crate) events_kept: Duration,
    pub(crate) retention: Retention,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) public_url: Option<String>,
}

/// Chooses the ports of a [`Crm`]; each but the store has a working default.
pub struct CrmBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    nicknames: Nicknames,
    workers: Arc<dyn Workers>,
    limits: Arc<dyn Limits>,
    token_keys: Option<TokenKeys>,
    key_ring: Option<KeyRing>,
    policy: SignInPolicy,
    telephony: BTreeMap<String, Arc<dyn Telephony>>,
    notification_channels: BTreeMap<String, Arc<dyn NotificationChannel>>,
    blobs: Arc<dyn Blobs>,
    bus: Arc<dyn EventBus>,
    events_kept: Duration,
    presence: Arc<dyn Presence>,
    public_url: Option<String>,
}

/// Who a session is for, as the front door has found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// A user of a tenant.
    User {
        /// The tenant.
        tenant: TenantId,
        /// The user.
        user: UserId,
    },
}

impl Crm {
    /// A CRM over `store`.
    pub fn builder(store: impl Store) -> CrmBuilder {
        CrmBuilder {
            store: Arc::new(store),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            nicknames: Nicknames::common(),
            workers: Arc::new(WorkerThreads::default()),
            limits: Arc::new(LocalLimits::default()),
            token_keys: None,
            key_ring: None,
            policy: SignInPolicy::default(),
            telephony: BTreeMap::new(),
            notification_channels: BTreeMap::new(),
            blobs: Arc::new(MemoryBlobs::default()),
            bus: Arc::new(LocalBus),
            events_kept: EVENTS_KEPT,
            presence: Arc::new(LocalPresence::default()),
            public_url: None,
        }
    }

    /// What runs the jobs. One for each process that shall run some; several share the work.
    pub fn worker(&self) -> Worker {
        Worker::new(self.clone())
    }

    /// What wakes this process for the changes of others.
    pub fn relay(&self) -> Relay {
        Relay::new(self.clone())
    }

    /// Who is connected.
    pub fn presence(&self) -> &dyn Presence {
        &*self.core.presence
    }

    /// A session for `principal`, under a request id of its own.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when the user does not exist or is disabled; `unavailable` or `internal`
    /// from the store.
    pub async fn session(&self, principal: Principal) -> Result<Session> {
        let request_id = self.new_request_id()?;
        self.session_in_request(principal, request_id).await
    }

    /// A session for `principal`, as part of the request that the host names.
    ///
    /// # Errors
    ///
    /// Those of [`Crm::session`].
    pub async fn session_in_request(
        &self,
        principal: Principal,
        request_id: RequestId,
    ) -> Result<Session> {
        let Principal::User { tenant, user } = principal;
        let standing = self.standing(tenant, StandingOf::User(user), &request_id).await?;
        let standing = standing.as_deref().and_then(|standing| {
            let user = standing.user.as_ref()?;
            (user.status == UserStatus::Active).then_some((&standing.tenant, user))
        });
        let (tenant, user) = standing.ok_or_else(|| {
            Error::new(ErrorKind::Unauthenticated, "nobody who may work here is signed in")
        })?;
        Ok(self.session_for(tenant, user, Proof::Host, request_id))
    }

    /// The way in for people and programs outside of the host.
    pub fn identity(&self, arrival: Arrival) -> Identity {
        Identity { crm: self.clone(), arrival }
    }

    /// The public keys of access tokens, for other services that verify them.
    pub fn key_set(&self) -> JsonWebKeySet {
        self.core.token_keys.key_set()
    }

    /// How long people stay signed in, and how often they may be wrong.
    pub fn policy(&self) -> &SignInPolicy {
        &self.core.policy
    }

    /// The present moment, by the clock of this CRM.
    pub fn now(&self) -> Timestamp {
        self.core.env.now()
    }

    /// 256 random bits as text, for a front door that needs something nobody can foresee.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness.
    pub fn new_secret(&self) -> Result<Secret> {
        let mut bytes = [0; 32];
        self.core.env.fill(&mut bytes)?;
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn session_for(
        &self,
        tenant: &Tenant,
        user: &User,
        proof: Proof,
        request_id: RequestId,
    ) -> Session {
        let (actor, region) = (Actor::User(user.id), tenant.default_region);
        let scope = TenantScope::new(tenant.id, region, actor, user.role, proof, request_id);
        Session::new(Arc::clone(&self.core), scope)
    }

    /// How somebody stands, as the store said less than a second ago.
    pub(crate) async fn standing(
        &self,
        tenant: TenantId,
        of: StandingOf,
        request_id: &RequestId,
    ) -> Result<Option<Arc<Standing>>> {
        let now = self.core.env.now();
        if let Some(known) = self.core.standings.known(tenant, of, now) {
            return Ok(Some(known));
        }
        let look = self.core.standings.look(now);
        let system = SystemScope::new("open a session", request_id.clone());
        let standing = self.core.store.standing(&system, tenant, of).await?.map(Arc::new);
        if let Some(standing) = &standing {
            self.core.standings.learn(tenant, of, &look, standing);
        }
        Ok(standing)
    }

    pub(crate) fn system_in_request(&self, reason: &'static str, request_id: RequestId) -> System {
        System::new(Arc::clone(&self.core), SystemScope::new(reason, request_id))
    }

    /// The operator's work across tenants, for a reason that is logged.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness for a request id.
    pub fn system(&self, reason: &'static str) -> Result<System> {
        let scope = SystemScope::new(reason, self.new_request_id()?);
        tracing::info!(reason, request_id = scope.request_id().as_str(), "the operator works");
        Ok(System::new(Arc::clone(&self.core), scope))
    }

    /// Whether the store answers: a small question to it, for a front door that is asked whether it is
    /// ready. How long it may take, the host decides.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store.
    pub async fn check(&self) -> Result<()> {
        let system = SystemScope::new("look whether the store answers", self.new_request_id()?);
        let asked = self.core.store.tenants(&system, None, 1).await;
        asked.map(drop).map_err(|error| error.in_operation("crm.check"))
    }

    /// Whether the place of recordings can be reached, for the same.
    ///
    /// # Errors
    ///
    /// `unavailable` from the blobs.
    pub async fn check_recordings(&self) -> Result<()> {
        self.core.blobs.check().await.map_err(|error| error.in_operation("crm.check_recordings"))
    }

    /// Takes one of what `quota` allows for `key`, for a front door that counts requests. The core's own
    /// keys have other beginnings than `http:`.
    ///
    /// # Errors
    ///
    /// `unavailable` when the count cannot be reached.
    pub async fn take(&self, key: &str, quota: Quota) -> Result<Allowance> {
        self.core.limits.take(key, quota, self.core.env.now()).await
    }

    /// An id for a connection, for a front door that has some.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness.
    pub fn new_connection_id(&self) -> Result<uuid::Uuid> {
        self.core.env.new_uuid()
    }

    /// A request id, for a front door that was given none.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness.
    pub fn new_request_id(&self) -> Result<RequestId> {
        self.core.env.new_uuid().map(RequestId::from)
    }
}

impl CrmBuilder {
    /// Takes the time from `clock` instead of the operating system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes randomness from `randomness` instead of the operating system.
    #[must_use]
    pub fn randomness(mut self, randomness: impl Randomness) -> Self {
        self.randomness = Arc::new(randomness);
        self
    }

    /// Replaces the table of nicknames that search uses.
    #[must_use]
    pub fn nicknames(mut self, nicknames: Nicknames) -> Self {
        self.nicknames = nicknames;
        self
    }

    /// Computes passwords' hashes on `workers` instead of threads of its own.
    #[must_use]
    pub fn workers(mut self, workers: impl Workers) -> Self {
        self.workers = Arc::new(workers);
        self
    }

    /// Counts attempts in `limits` instead of this process alone.
    #[must_use]
    pub fn limits(mut self, limits: impl Limits) -> Self {
        self.limits = Arc::new(limits);
        self
    }

    /// Signs and verifies access tokens with `keys` instead of one that is made now and lost with this
    /// value. Every node needs the same ones.
    #[must_use]
    pub fn token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }

    /// Seals what is kept secret with `ring` instead of a key that is made now and lost with this value.
    /// Every node needs the same one.
    #[must_use]
    pub fn key_ring(mut self, ring: KeyRing) -> Self {
        self.key_ring = Some(ring);
        self
    }

    /// How long people stay signed in, and how often they may be wrong.
    #[must_use]
    pub fn sign_in_policy(mut self, policy: SignInPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Makes calls through `telephony`, under the name of its provider. Several can be there.
    #[must_use]
    pub fn telephony(mut self, telephony: impl Telephony) -> Self {
        self.telephony.insert(telephony.provider().to_owned(), Arc::new(telephony));
        self
    }

    /// Sends notifications through `channel`, too, under its name. Several can be there.
    #[must_use]
    pub fn notification_channel(mut self, channel: impl NotificationChannel) -> Self {
        self.notification_channels.insert(channel.name().to_owned(), Arc::new(channel));
        self
    }

    /// Keeps recordings in `blobs` instead of this process's memory.
    #[must_use]
    pub fn blobs(mut self, blobs: impl Blobs) -> Self {
        self.blobs = Arc::new(blobs);
        self
    }

    /// Tells other nodes through `bus` that there is more to read, and hears it from them.
    #[must_use]
    pub fn bus(mut self, bus: impl EventBus) -> Self {
        self.bus = Arc::new(bus);
        self
    }

    /// Keeps who is connected in `presence` instead of this process alone.
    #[must_use]
    pub fn presence(mut self, presence: impl Presence) -> Self {
        self.presence = Arc::new(presence);
        self
    }

    /// How long events can be read, at least an hour; 30 days where nothing is said. Who comes back after it
    /// is told that some are missing.
    #[must_use]
    pub fn events_kept(mut self, kept: Duration) -> Self {
        self.events_kept = kept.max(Duration::from_secs(3600));
        self
    }

    /// Where carriers reach the host's webhooks: the beginning of `…/webhooks/<provider>`, e.g.
    /// `https://crm.example`. Without it they are asked instead, which takes longer.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// The CRM.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness for keys that were not given.
    pub fn build(self) -> Result<Crm> {
        let randomness = &*self.randomness;
        let token_keys = match self.token_keys {
            Some(keys) => keys,
            None => TokenKeys::new(TokenKey::generate(TokenAlgorithm::default(), randomness)?),
        };
        let key_ring = match self.key_ring {
            Some(ring) => ring,
            None => KeyRing::generate(randomness)?,
        };
        let core = Core {
            store: self.store,
            env: Env::new(self.clock, self.randomness),
            nicknames: self.nicknames,
            workers: self.workers,
            limits: self.limits,
            token_keys,
            key_ring,
            policy: self.policy,
            standings: Standings::default(),
            running: Arc::default(),
            telephony: self.telephony,
            notification_channels: self.notification_channels,
            blobs: self.blobs,
            bell: Arc::default(),
            bells: Bells::default(),
            bus: self.bus,
            events_kept: self.events_kept,
            retention: Retention::default(),
            presence: self.presence,
            public_url: self.public_url,
        };
        Ok(Crm { core: Arc::new(core) })
    }
}

impl Core {
    /// Commits, forgets what the commit may have made untrue, and says that there is more: also where its answer
    /// is lost or nobody waits for it, for it may be there.
    pub(crate) async fn commit(&self, mut changes: Changes) -> Result<()> {
        if may_notify(&changes) {
            let job = NewJob::new(NOTIFY, &serde_json::json!({}))?.unique("notify");
            changes.enqueue(&self.env, job)?;
        }
        let _told = Told {
            core: self,
            standing: Touched::by(&changes),
            events: changes.iter().next().map(|_| changes.tenant()),
            jobs: changes.jobs().iter().any(|job| job.state == JobState::Ready)
                || changes.iter().any(|change| matches!(change.write(), Write::RetryJob(_))),
        };
        self.store.commit(changes).await
    }
}

/// What follows a commit.
struct Told<'c> {
    core: &'c Core,
    standing: Touched,
    events: Option<TenantId>,
    jobs: bool,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let core = self.core;
        // First: who is woken below looks at it.
        core.standings.forget(&self.standing);
        if let Some(tenant) = self.standing.0 {
            core.bus.tell(News::Standing(tenant));
        }
        if let Some(tenant) = self.events {
            core.bells.ring(tenant);
            core.bus.tell(News::Events(tenant));
        }
        if self.jobs {
            core.bell.ring();
            core.bus.tell(News::Jobs);
        }
    }
}

impl fmt::Debug for Crm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crm").finish_non_exhaustive()
    }
}

impl fmt::Debug for CrmBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrmBuilder").finish_non_exhaustive()
    }
}
