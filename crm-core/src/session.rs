//! One actor at work in one tenant.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::{Action, FollowEvents, Permit, authorize};
use crate::activities::Activities;
use crate::audit::Audit;
use crate::calls::Calls;
use crate::changes::Changes;
use crate::companies::Companies;
use crate::contacts::Contacts;
use crate::crm::Core;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Events, GroupProgress};
use crate::idempotency::Pending;
use crate::identity::{Account, ApiKeys, Users};
use crate::jobs::{Jobs, LeaseUse};
use crate::notifications::Notifications;
use crate::ports::Store;
use crate::presence::Present;
use crate::privacy::Privacy;
use crate::scope::TenantScope;
use crate::telephony::TelephonyAccounts;
use crate::tenancy::TenantSettings;

/// One actor at work in one tenant: the way to everything that the tenant has.
///
/// Cheap to clone, and made for one request or one job; it keeps the role that the actor had when
/// it began.
#[derive(Clone)]
pub struct Session {
    core: Arc<Core>,
    scope: TenantScope,
    pending: Option<Arc<Pending>>,
    lease: Option<Held>,
    progress: Option<GroupProgress>,
}

/// The job that a session works for.
#[derive(Clone)]
struct Held {
    lease: LeaseUse,
    completed: Arc<AtomicBool>,
}

/// How often the core repeats a change that met another one of the same record: more than the callers
/// that a store commits at once, of whom one wins each round.
const CONTENDED_TRIES: usize = 100;

impl Session {
    pub(crate) fn new(core: Arc<Core>, scope: TenantScope) -> Self {
        Session { core, scope, pending: None, lease: None, progress: None }
    }

    /// The tenant, the actor and the role.
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// The same actor, content with data that may be a little old: where the store has copies, reads go to
    /// them. Nothing can be changed in it, for a decision needs the latest state.
    ///
    /// ```
    /// # use crm_core::{ErrorKind, contacts::NewContact, memory::session_for_docs};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session = session_for_docs().await?;
    /// let report = session.lagging();
    /// report.contacts().count(&Default::default()).await?;
    /// let refused = report.contacts().create(NewContact::named("Ada", "Lovelace")).await;
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), crm_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn lagging(&self) -> Session {
        Session::new(Arc::clone(&self.core), self.scope.lagging())
    }

    /// The tenant's contacts.
    pub fn contacts(&self) -> Contacts<'_> {
        Contacts { session: self }
    }

    /// The tenant's companies.
    pub fn companies(&self) -> Companies<'_> {
        Companies { session: self }
    }

    /// What happened with the contacts.
    pub fn activities(&self) -> Activities<'_> {
        Activities { session: self }
    }

    /// The tenant's calls.
    pub fn calls(&self) -> Calls<'_> {
        Calls { session: self }
    }

    /// The tenant's accounts with carriers of calls.
    pub fn telephony(&self) -> TelephonyAccounts<'_> {
        TelephonyAccounts { session: self }
    }

    /// What the tenant's contacts agreed to.
    pub fn privacy(&self) -> Privacy<'_> {
        Privacy { session: self }
    }

    /// The tenant's jobs.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs { session: self }
    }

    /// The tenant's users.
    pub fn users(&self) -> Users<'_> {
        Users { session: self }
    }

    /// The tenant's settings.
    pub fn tenant(&self) -> TenantSettings<'_> {
        TenantSettings { session: self }
    }

    /// The account of the user who is signed in.
    pub fn account(&self) -> Account<'_> {
        Account { session: self }
    }

    /// The tenant's API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { session: self }
    }

    /// The tenant's event log.
    pub fn events(&self) -> Events<'_> {
        Events { session: self }
    }

    /// What the session's user is told.
    pub fn notifications(&self) -> Notifications<'_> {
        Notifications { session: self }
    }

    /// Who of the tenant's users is connected, by their ids.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` where it cannot be told.
    pub async fn present(&self) -> Result<Vec<Present>> {
        let _permit: Permit<FollowEvents> = self.authorize()?;
        self.core.presence.present(self.scope.tenant(), self.env().now()).await
    }

    /// The tenant's audit log.
    pub fn audit(&self) -> Audit<'_> {
        Audit { session: self }
    }

    /// Asks whether the actor may do `A`.
    ///
    /// # Errors
    ///
    /// `forbidden`, naming the action and the role it needs.
    pub fn authorize<A: Action>(&self) -> Result<Permit<A>> {
        authorize(&self.scope)
    }

    /// Asks whether the actor may do `A` to the record that `look` finds, and gives both.
    ///
    /// Who may not is told of a record that is not there what everybody is told: that there is no such
    /// `what`, whether it is missing or another tenant's.
    pub(crate) async fn authorize_on<A: Action, T>(
        &self,
        what: &'static str,
        look: impl Future<Output = Result<Option<T>>>,
    ) -> Result<(Permit<A>, T)> {
        let permit = match self.authorize::<A>() {
            // A session that only reads says so, whatever it is asked to change.
            Err(error) if error.kind() == ErrorKind::Conflict => return Err(error),
            permit => permit,
        };
        let record = look.await?.ok_or_else(|| Error::not_found(what))?;
        Ok((permit?, record))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// The same actor, at work for no job and no group.
    pub(crate) fn at_large(&self) -> Session {
        Session { lease: None, progress: None, ..self.clone() }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.core.env
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.core.store
    }

    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.pending.as_deref()
    }

    /// The same session for a request that can be repeated.
    pub(crate) fn with_pending(&self, pending: Pending) -> Session {
        Session { pending: Some(Arc::new(pending)), ..self.clone() }
    }

    /// The same session at work for a job.
    pub(crate) fn under(&self, lease: LeaseUse, completed: Arc<AtomicBool>) -> Session {
        Session { lease: Some(Held { lease, completed }), ..self.clone() }
    }

    /// The same session, whose write moves a group of readers of the event log.
    pub(crate) fn consuming(&self, progress: GroupProgress) -> Session {
        Session { progress: Some(progress), ..self.clone() }
    }

    pub(crate) async fn commit(&self, mut changes: Changes) -> Result<()> {
        if let Some(progress) = &self.progress {
            changes.move_group(progress.clone());
        }
        let Some(held) = &self.lease else {
            return self.core.commit(changes).await;
        };
        changes.use_lease(held.lease);
        self.core.commit(changes).await?;
        if held.lease.completes {
            held.completed.store(true, Ordering::Release);
        }
        Ok(())
    }

    pub(crate) fn new_changes(&self) -> Changes {
        Changes::new(&self.scope, self.env().now())
    }

    /// Runs an operation and names it in its error.
    pub(crate) async fn run<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        work.await.map_err(|error| error.in_operation(operation))
    }

    /// Repeats `attempt` while it meets changes of others, unless the caller insists on a version.
    ///
    /// Not an `AsyncFn`: the future of a call to one is not known to be `Send`, and hosts spawn theirs.
    pub(crate) async fn retry_contended<T, F: Future<Output = Result<T>>>(
        &self,
        caller_named_version: bool,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match attempt().await {
                Err(error)
                    if error.kind() == ErrorKind::VersionConflict
                        && !caller_named_version
                        && tries < CONTENDED_TRIES =>
                {
                    tries += 1;
                }
                result => return result,
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("scope", &self.scope).finish_non_exhaustive()
    }
}
