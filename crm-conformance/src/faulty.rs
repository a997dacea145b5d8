//! A store that fails on demand, or lets others be faster.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{Activity, ActivityFilter, StatsGroup, StatsGroupBy};
use crm_core::audit::{AuditEntry, AuditQuery};
use crm_core::companies::{Company, CompanyKey};
use crm_core::contacts::search::{Candidate, CandidateQuery, WordLookup};
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactKey};
use crm_core::events::{EventBounds, EventPosition, GroupName, RecordedEvent};
use crm_core::idempotency::Outcome;
use crm_core::identity::{Credential, CredentialKind, SignInName, Standing, StandingOf, User};
use crm_core::ports::{
    ActivityStore, AuditStore, CompanyStore, ContactStore, EventStore, IdempotencyStore,
    IdentityStore, SearchStore, Store, TenancyStore,
};
use crm_core::tenancy::{Slug, Tenant};
use crm_core::{
    ActivityId, Changes, CompanyId, ContactId, Error, Result, SystemScope, TenantId, TenantScope,
    Timestamp, UserId,
};
use uuid::Uuid;

/// How often a commit looks for the others that it waits for, before it goes on without them.
const PATIENCE: usize = 1_000_000;

/// Passes every call on to another store, but for one that it fails with `unavailable` before the
/// store hears of it. Clones share the count.
pub struct FaultyStore<S: ?Sized> {
    store: Arc<S>,
    /// Calls until the one that fails, which is the one that finds 1; 0 for none.
    left: Arc<AtomicU64>,
    /// Commits that still have to come before those that wait may go on.
    awaited: Arc<AtomicU64>,
}

impl<S: Store + ?Sized> FaultyStore<S> {
    /// A store that passes every call on, until it is told to fail one.
    pub fn new(store: Arc<S>) -> Self {
        FaultyStore {
            store,
            left: Arc::new(AtomicU64::new(0)),
            awaited: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Fails the `n`-th call from now on, counted from 1, and only that; 0 fails none.
    pub fn fail_call(&self, n: u64) {
        self.left.store(n, Ordering::SeqCst);
    }

    /// Makes the next `n` commits wait for each other, so that every caller has read before the
    /// first of them writes. One that does not come is not waited for without end.
    pub fn gather_commits(&self, n: u64) {
        self.awaited.store(n, Ordering::SeqCst);
    }

    /// Whether the failure that was asked for has happened.
    pub fn has_failed(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Counts this commit and lets other tasks run until all that are awaited have come.
    async fn meet(&self) {
        let count = |awaited: u64| awaited.checked_sub(1);
        if self.awaited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_err() {
            return;
        }
        for _ in 0..PATIENCE {
            if self.awaited.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn reach(&self) -> Result<&S> {
        let count = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) {
            Ok(1) => Err(Error::unavailable("the store cannot be reached", "a planted failure")),
            Ok(_) | Err(_) => Ok(&self.store),
        }
    }
}

impl<S: ?Sized> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        FaultyStore {
            store: Arc::clone(&self.store),
            left: Arc::clone(&self.left),
            awaited: Arc::clone(&self.awaited),
        }
    }
}

impl<S: ?Sized> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("left", &self.left).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for FaultyStore<S> {
    async fn commit(&self, changes: Changes) -> Result<()> {
        let store = self.reach()?;
        self.meet().await;
        store.commit(changes).await
    }
}

crm_core::forward_work!(any S: Store, for FaultyStore<S>, by FaultyStore::reach);

#[async_trait]
impl<S: Store + ?Sized> TenancyStore for FaultyStore<S> {
    async fn tenant(&self, scope: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        self.reach()?.tenant(scope, id).await
    }

    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        self.reach()?.tenant_by_slug(scope, slug).await
    }

    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        self.reach()?.tenants(scope, after, limit).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> IdentityStore for FaultyStore<S> {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        self.reach()?.user(scope, id).await
    }

    async fn standing(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        self.reach()?.standing(scope, tenant, of).await
    }

    async fn accounts(
        &self,
        scope: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        self.reach()?.accounts(scope, name, limit).await
    }

    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.reach()?.credentials(scope, kind, user, after, limit).await
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        self.reach()?.users(scope, after, limit).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> IdempotencyStore for FaultyStore<S> {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        self.reach()?.outcome(scope, key, now).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> CompanyStore for FaultyStore<S> {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        self.reach()?.company(scope, id).await
    }

    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        self.reach()?.companies_by_keys(scope, keys).await
    }

    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        self.reach()?.companies(scope, after, limit).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> ContactStore for FaultyStore<S> {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        self.reach()?.contact(scope, id).await
    }

    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        self.reach()?.contacts_by_ids(scope, ids).await
    }

    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        self.reach()?.contacts_by_keys(scope, keys).await
    }

    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        self.reach()?.contacts(scope, query).await
    }

    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        self.reach()?.count_contacts(scope, filter).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> SearchStore for FaultyStore<S> {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        self.reach()?.find_words(scope, lookup).await
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        self.reach()?.find_candidates(scope, query).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> ActivityStore for FaultyStore<S> {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        self.reach()?.activity(scope, id).await
    }

    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        self.reach()?.activities(scope, query).await
    }

    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        self.reach()?.activity_stats(scope, filter, group_by).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> EventStore for FaultyStore<S> {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        self.reach()?.events_after(scope, position, limit).await
    }
    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        self.reach()?.event_bounds(scope).await
    }
    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        self.reach()?.event_group(scope, group).await
    }
    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        self.reach()?.forget_events(scope, before, limit).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> AuditStore for FaultyStore<S> {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        self.reach()?.audit_entries(scope, query).await
    }
}
