//! The entrance: a CRM over the ports that the host chose.

use std::fmt;
use std::sync::Arc;

use crate::contacts::search::Nicknames;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{TenantId, UserId};
use crate::identity::UserStatus;
use crate::ports::{Clock, Randomness, Store, SystemClock, SystemRandomness};
use crate::scope::{Actor, RequestId, SystemScope, TenantScope};
use crate::session::Session;
use crate::tenancy::System;

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
}

/// Chooses the ports of a [`Crm`]; each but the store has a working default.
pub struct CrmBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    nicknames: Nicknames,
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
        }
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
        let unauthenticated =
            || Error::new(ErrorKind::Unauthenticated, "nobody who may work here is signed in");
        let system = SystemScope::new("open a session", request_id.clone());
        let (tenant, user) = (
            self.core.store.tenant(&system, tenant).await?.ok_or_else(unauthenticated)?,
            self.core.store.principal(&system, tenant, user).await?.ok_or_else(unauthenticated)?,
        );
        match user.status {
            UserStatus::Active => {}
            UserStatus::Disabled => return Err(unauthenticated()),
        }
        let scope = TenantScope::new(
            tenant.id,
            tenant.default_region,
            Actor::User(user.id),
            user.role,
            request_id,
        );
        Ok(Session::new(Arc::clone(&self.core), scope))
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

    fn new_request_id(&self) -> Result<RequestId> {
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

    /// The CRM.
    ///
    /// # Errors
    ///
    /// None today; kept for choices that will be able to contradict each other.
    pub fn build(self) -> Result<Crm> {
        let core = Core {
            store: self.store,
            env: Env::new(self.clock, self.randomness),
            nicknames: self.nicknames,
        };
        Ok(Crm { core: Arc::new(core) })
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
