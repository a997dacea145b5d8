//! The store in memory with faults: commits that take a while, commits that fail, no answer about jobs and calls.
#![allow(dead_code, reason = "each test has the faults that it needs")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
use crm_core::memory::MemoryStore;
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

#[derive(Clone, Default)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryStore,
    /// Commits until one fails; 0 is never.
    until_failure: Arc<AtomicUsize>,
    slow: bool,
    /// Whether events come later.
    pub(crate) slow_reads: bool,
    lost: Arc<AtomicBool>,
    /// Whether nothing is answered of jobs, calls and consents, and how often it was asked meanwhile.
    pub(crate) away: Arc<AtomicBool>,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Faulty {
    /// A store whose commits are written at once and answered later.
    pub(crate) fn slow() -> Self {
        Faulty { slow: true, ..Faulty::default() }
    }

    /// Lets the commit after `good` more ones fail, and that one only.
    pub(crate) fn fail_after(&self, good: usize) {
        self.until_failure.store(good + 1, Ordering::SeqCst);
    }

    /// Lets the next commit be written and answered with an error.
    pub(crate) fn lose_the_next_answer(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    fn work(&self) -> Result<MemoryStore> {
        if self.away.load(Ordering::SeqCst) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            return Err(Error::unavailable("the database is away", "planted"));
        }
        Ok(self.inner.clone())
    }
}

#[async_trait]
impl Store for Faulty {
    async fn commit(&self, changes: Changes) -> Result<()> {
        let before = self.until_failure.load(Ordering::SeqCst);
        self.until_failure.store(before.saturating_sub(1), Ordering::SeqCst);
        if before == 1 {
            return Err(Error::unavailable("the disk of the database is full", "planted"));
        }
        let result = self.inner.commit(changes).await;
        if self.lost.swap(false, Ordering::SeqCst) {
            return Err(Error::unavailable("the connection is lost", "planted"));
        }
        if self.slow {
            // More than once: the poll that sends a batch off is not the one that waits for it.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        }
        result
    }
}

crm_core::forward_work!(for Faulty, by Faulty::work);

#[async_trait]
impl TenancyStore for Faulty {
    async fn tenant(&self, scope: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        self.inner.tenant(scope, id).await
    }
    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        self.inner.tenant_by_slug(scope, slug).await
    }
    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        self.inner.tenants(scope, after, limit).await
    }
}

#[async_trait]
impl IdentityStore for Faulty {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        self.inner.user(scope, id).await
    }
    async fn standing(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        self.inner.standing(scope, tenant, of).await
    }
    async fn accounts(
        &self,
        scope: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        self.inner.accounts(scope, name, limit).await
    }
    async fn credentials(
        &self,
        scope: &TenantScope,
        kind: CredentialKind,
        user: Option<UserId>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.inner.credentials(scope, kind, user, after, limit).await
    }
    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        self.inner.users(scope, after, limit).await
    }
}

#[async_trait]
impl IdempotencyStore for Faulty {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        self.inner.outcome(scope, key, now).await
    }
}

#[async_trait]
impl CompanyStore for Faulty {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        self.inner.company(scope, id).await
    }
    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        self.inner.companies_by_keys(scope, keys).await
    }
    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        self.inner.companies(scope, after, limit).await
    }
}

#[async_trait]
impl ContactStore for Faulty {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        self.inner.contact(scope, id).await
    }
    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        self.inner.contacts_by_ids(scope, ids).await
    }
    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        let found = self.inner.contacts_by_keys(scope, keys).await;
        if self.slow {
            // Room for others to write between what is read and what is decided.
            tokio::task::yield_now().await;
        }
        found
    }
    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        self.inner.contacts(scope, query).await
    }
    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        self.inner.count_contacts(scope, filter).await
    }
}

#[async_trait]
impl SearchStore for Faulty {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        self.inner.find_words(scope, lookup).await
    }
    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        self.inner.find_candidates(scope, query).await
    }
}

#[async_trait]
impl ActivityStore for Faulty {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        self.inner.activity(scope, id).await
    }
    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        self.inner.activities(scope, query).await
    }
    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        self.inner.activity_stats(scope, filter, group_by).await
    }
}

#[async_trait]
impl EventStore for Faulty {
    async fn events_after(
        &self,
        scope: &TenantScope,
        position: EventPosition,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>> {
        let events = self.inner.events_after(scope, position, limit).await;
        if self.slow_reads {
            tokio::task::yield_now().await;
        }
        events
    }
    async fn event_bounds(&self, scope: &TenantScope) -> Result<EventBounds> {
        if self.slow_reads {
            tokio::task::yield_now().await;
        }
        self.inner.event_bounds(scope).await
    }
    async fn event_group(
        &self,
        scope: &TenantScope,
        group: &GroupName,
    ) -> Result<Option<EventPosition>> {
        self.inner.event_group(scope, group).await
    }
    async fn forget_events(
        &self,
        scope: &TenantScope,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        self.inner.forget_events(scope, before, limit).await
    }
}

#[async_trait]
impl AuditStore for Faulty {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        self.inner.audit_entries(scope, query).await
    }
}
