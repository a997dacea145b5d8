//! The store in memory with one fault.

mod events;
mod notifications;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use crm_conformance::{Factory, Fresh};
use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{Activity, ActivityFilter, ActivityKind, StatsGroup, StatsGroupBy};
use crm_core::audit::{AuditEntry, AuditQuery};
use crm_core::changes::Write;
use crm_core::companies::{Company, CompanyKey};
use crm_core::contacts::search::{Candidate, CandidateQuery, WordLookup};
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactKey, CustomValue, Deleted};
use crm_core::events::{EventName, EventPosition, RecordedEvent};
use crm_core::idempotency::Outcome;
use crm_core::identity::{Credential, CredentialKind, SignInName, Standing, StandingOf, User};
use crm_core::jobs::{ClaimedJob, Job};
use crm_core::memory::MemoryStore;
use crm_core::ports::{
    ActivityStore, AuditStore, CompanyStore, ContactStore, IdempotencyStore, IdentityStore,
    SearchStore, Store, TenancyStore,
};
use crm_core::tenancy::{Slug, Tenant};
use crm_core::{
    ActivityId, Changes, CompanyId, ContactId, ErrorKind, Result, SystemScope, TenantId,
    TenantScope, Timestamp, UserId,
};
use uuid::Uuid;

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: the wrapper itself is right.
    None,
    /// Reads by id and lists see what other tenants have.
    LeaksTenants,
    /// A slug brings some tenant.
    IgnoresSlugs,
    /// A page begins with the last record of the page before.
    RepeatsLastOfPage,
    /// A page leaves out its first record, but for the first page.
    SkipsFirstOfPage,
    /// A record that takes a unique value from another is answered as done.
    SwallowsConflicts,
    /// The same, and nobody is found by e-mail.
    ForgetsEmails,
    /// A record whose references are missing is answered as done.
    SwallowsMissing,
    /// A change of a record that has changed meanwhile is answered as done.
    SwallowsStaleChanges,
    /// The time of the last change is that of the making.
    ForgetsUpdates,
    /// Domains are not read back.
    DropsDomains,
    /// Texts end at a NUL, as strings of C do.
    CutsAtNul,
    /// A record is still found by what it was called.
    KeepsOldKeys,
    /// A deleted contact keeps its e-mail.
    KeepsDeletedEmails,
    /// Contacts come by id, whatever the order asked for.
    SortsByIds,
    /// Of those who share a key the last is named.
    NamesLastHolder,
    /// Before a time means at it, too.
    IncludesEnds,
    /// A page leaves out those that tie with the last of the page before.
    SkipsTies,
    /// Counts count deleted contacts.
    CountsDeleted,
    /// The words of every tenant are one vocabulary.
    SharesWords,
    /// A search once answered is answered the same again.
    CachesSearch,
    /// `_` stands for any character.
    TakesPatterns,
    /// Candidates come in some order.
    ReversesCandidates,
    /// Terms come back in another form.
    ChangesTerms,
    /// Deletions leave no trace on the timeline.
    ForgetsTimeline,
    /// Statistics count everybody's activities.
    StatsOfEverybody,
    /// Deletions leave no audit entry.
    ForgetsAudit,
    /// Deletions leave no event.
    ForgetsEvents,
    /// Events of one time come in some order.
    ReordersEvents,
    /// A refused unit leaves its events.
    LeavesEventsBehind,
    /// The second half of a large unit is not written.
    LosesHalf,
    /// Of those who sign in with one address one is known.
    NamesOneAccount,
    /// The uses of API keys are not noted.
    ForgetsUses,
    /// No outcome is remembered.
    ForgetsOutcomes,
    /// Sign-ins that are over are kept for ever.
    KeepsUselessSignIns,
    /// The second record of a unit is written only if the caller waits.
    StopsWhenDropped,
    /// No job is ever claimed.
    LosesJobs,
    /// A claim that finds nothing gives what was claimed before.
    ClaimsTwice,
    /// Jobs are claimed an hour before their time.
    ClaimsEarly,
    /// The first tenant's jobs go first.
    ForgetsTurns,
    /// Jobs come in the wrong order.
    IgnoresPriority,
    /// A job whose lease has run out is not given to anybody.
    LosesLapsed,
    /// Leases are prolonged in words only.
    KeepsInWords,
    /// What became of jobs is not written down.
    SettlesNothing,
    /// Who has lost the lease can settle.
    SettlesForAnybody,
    /// Dead jobs are shown as ready.
    RaisesTheDead,
    /// A unit under a lost lease is answered as done.
    SwallowsLostLeases,
    /// The entries of calls stay as they were.
    ForgetsCalls,
    /// A call has a second entry.
    DoublesCalls,
    /// A refused unit leaves its jobs.
    LeavesJobsBehind,
    /// The end of the log is after its newest event.
    LooksAhead,
    /// The newest event is not counted.
    ForgetsNewest,
    /// A refused unit moves its group.
    MovesGroupsBehind,
    /// Events are forgotten, and the log begins where it did.
    HidesTheHorizon,
    /// The log is counted from its first event that is kept.
    CountsAnew,
}

pub(crate) struct Planted {
    inner: MemoryStore,
    fault: Fault,
    scopes: Mutex<Vec<TenantScope>>,
    hidden: Mutex<BTreeSet<ContactId>>,
    left_behind: Mutex<Vec<RecordedEvent>>,
    old_keys: Mutex<Vec<(CompanyKey, CompanyId)>>,
    old_contact_keys: Mutex<Vec<(ContactKey, ContactId)>>,
    answered: Mutex<BTreeMap<String, Vec<Candidate>>>,
    sign_ins: Mutex<BTreeMap<Uuid, Credential>>,
    claimed: Mutex<Vec<ClaimedJob>>,
    left_jobs: Mutex<Vec<Job>>,
    left_progress: Mutex<Option<EventPosition>>,
}

/// Makes stores with the fault.
pub(crate) struct With(pub(crate) Fault);

#[async_trait]
impl Factory for With {
    async fn fresh(&self) -> Result<Fresh> {
        Ok(Fresh::new(Planted {
            inner: MemoryStore::default(),
            fault: self.0,
            scopes: Mutex::default(),
            hidden: Mutex::default(),
            left_behind: Mutex::default(),
            old_keys: Mutex::default(),
            old_contact_keys: Mutex::default(),
            answered: Mutex::default(),
            sign_ins: Mutex::default(),
            claimed: Mutex::default(),
            left_jobs: Mutex::default(),
            left_progress: Mutex::default(),
        }))
    }
}

impl Planted {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// The scopes whose data a read sees: that of the caller, and with the fault all others.
    fn visible(&self, scope: &TenantScope, leaks: bool) -> Vec<TenantScope> {
        let mut scopes = self.scopes.lock().unwrap();
        if scopes.iter().all(|seen| seen.tenant() != scope.tenant()) {
            scopes.push(scope.clone());
        }
        let mut visible = vec![scope.clone()];
        if leaks {
            visible.extend(scopes.iter().filter(|seen| seen.tenant() != scope.tenant()).cloned());
        }
        visible
    }

    fn leaks(&self, scope: &TenantScope) -> Vec<TenantScope> {
        self.visible(scope, self.has(Fault::LeaksTenants))
    }

    fn is_hidden(&self, id: ContactId) -> bool {
        self.hidden.lock().unwrap().contains(&id)
    }

    /// Pages with the two faults that most often happen to them.
    fn paged<T>(&self, mut page: Vec<T>, first: bool, again: Option<T>) -> Vec<T> {
        if self.has(Fault::SkipsFirstOfPage) && !first && !page.is_empty() {
            page.remove(0);
        }
        if self.has(Fault::RepeatsLastOfPage)
            && let Some(again) = again
            && !page.is_empty()
        {
            page.insert(0, again);
            page.pop();
        }
        page
    }

    fn damaged(&self, mut contact: Contact) -> Contact {
        for value in contact.custom.values_mut() {
            if let CustomValue::Text(text) = value {
                *text = self.cut(std::mem::take(text));
            }
        }
        if self.has(Fault::ForgetsUpdates) {
            contact.updated_at = contact.created_at;
        }
        contact
    }

    fn cut(&self, text: String) -> String {
        match text.split_once('\0') {
            Some((before, _)) if self.has(Fault::CutsAtNul) => before.to_owned(),
            Some(_) | None => text,
        }
    }

    fn damaged_activity(&self, mut activity: Activity) -> Activity {
        activity.body = activity.body.map(|body| self.cut(body));
        activity
    }

    fn damaged_credential(&self, mut credential: Credential) -> Credential {
        if let Credential::ApiKey(own) = &mut credential
            && self.has(Fault::ForgetsUses)
        {
            own.last_used_at = None;
        }
        if let Credential::SignIn(own) = &mut credential {
            own.user_agent = own.user_agent.take().map(|text| self.cut(text));
            if self.has(Fault::ForgetsUpdates) {
                own.refreshed_at = own.created_at;
            }
        }
        credential
    }

    fn end(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        let later = i64::from(self.has(Fault::IncludesEnds));
        at.map(|at| at.saturating_add_micros(later))
    }
}

#[async_trait]
impl Store for Planted {
    async fn commit(&self, changes: Changes) -> Result<()> {
        self.visible(changes.scope(), false);
        if self.has(Fault::KeepsDeletedEmails) {
            for change in &changes {
                let Write::InsertContact { contact, .. } = change.write() else { continue };
                for email in &contact.emails {
                    let filter = ContactFilter {
                        keys: vec![ContactKey::email(&email.address)],
                        deleted: Deleted::Only,
                        ..ContactFilter::default()
                    };
                    let query = ContactQuery { filter, limit: 1, ..ContactQuery::default() };
                    if let Some(holder) =
                        self.inner.contacts(changes.scope(), &query).await?.first()
                    {
                        let holder = holder.id.as_uuid();
                        return Err(crm_core::Error::already_exists(
                            "email",
                            holder,
                            "a deleted contact's",
                        ));
                    }
                }
            }
        }
        let (mut contacts, mut events) = (Vec::new(), Vec::new());
        for change in &changes {
            let position = EventPosition(u64::MAX / 4);
            events.push(RecordedEvent { position, event: change.event().clone() });
            match change.write() {
                Write::InsertContact { contact, .. } | Write::UpdateContact { contact, .. } => {
                    contacts.push(contact.id);
                    let keys = contact.keys().into_iter().map(|key| (key, contact.id));
                    self.old_contact_keys.lock().unwrap().extend(keys);
                }
                Write::InsertCompany(company) => {
                    let keys = company.keys().into_iter().map(|key| (key, company.id));
                    self.old_keys.lock().unwrap().extend(keys);
                }
                Write::PutCredential { credential, .. } => {
                    if credential.kind() == CredentialKind::SignIn {
                        let own = (**credential).clone();
                        self.sign_ins.lock().unwrap().insert(own.id(), own);
                    }
                }
                Write::InsertTenant(_)
                | Write::UpdateTenant { .. }
                | Write::InsertUser(_)
                | Write::UpdateUser { .. }
                | Write::UpdateCompany { .. }
                | Write::InsertActivity(_)
                | Write::InsertConsent(_)
                | Write::PutTelephonyAccount { .. }
                | Write::PutCall { .. }
                | Write::PutSchedule { .. }
                | Write::PutNotification { .. }
                | Write::PutNotificationPreferences { .. }
                | Write::RetryJob(_)
                | Write::DiscardJob(_)
                | Write::Nothing => {}
            }
        }
        let hides = |count: usize| match self.fault {
            Fault::LosesHalf if count >= 500 => count / 2,
            Fault::StopsWhenDropped if count == 2 => 1,
            _ => count,
        };
        let hidden = contacts.split_off(hides(contacts.len()));
        self.hidden.lock().unwrap().extend(&hidden);
        let jobs = changes.jobs().to_vec();
        let progress = changes.progress().map(|progress| progress.to);
        let result = self.inner.commit(changes).await;
        if self.has(Fault::LeavesJobsBehind) && result.is_err() {
            self.left_jobs.lock().unwrap().extend(jobs);
        }
        if self.has(Fault::MovesGroupsBehind) && result.is_err() {
            *self.left_progress.lock().unwrap() = progress;
        }
        tokio::task::yield_now().await;
        if self.has(Fault::StopsWhenDropped) {
            self.hidden.lock().unwrap().retain(|id| !hidden.contains(id));
        }
        let Err(error) = result else { return Ok(()) };
        if self.has(Fault::LeavesEventsBehind) {
            self.left_behind.lock().unwrap().extend(events);
        }
        match (self.fault, error.kind()) {
            (Fault::SwallowsConflicts | Fault::ForgetsEmails, ErrorKind::AlreadyExists)
            | (Fault::SwallowsMissing, ErrorKind::NotFound)
            | (Fault::SwallowsLostLeases, ErrorKind::Conflict)
            | (Fault::SwallowsStaleChanges, ErrorKind::VersionConflict) => Ok(()),
            _ => Err(error),
        }
    }
}

#[async_trait]
impl TenancyStore for Planted {
    async fn tenant(&self, scope: &SystemScope, id: TenantId) -> Result<Option<Tenant>> {
        self.inner.tenant(scope, id).await
    }

    async fn tenant_by_slug(&self, scope: &SystemScope, slug: &Slug) -> Result<Option<Tenant>> {
        if self.has(Fault::IgnoresSlugs) {
            return Ok(self.inner.tenants(scope, None, 1).await?.pop());
        }
        self.inner.tenant_by_slug(scope, slug).await
    }

    async fn tenants(
        &self,
        scope: &SystemScope,
        after: Option<&Slug>,
        limit: usize,
    ) -> Result<Vec<Tenant>> {
        let again = match after {
            Some(slug) => self.inner.tenant_by_slug(scope, slug).await?,
            None => None,
        };
        let page = self.inner.tenants(scope, after, limit).await?;
        Ok(self.paged(page, after.is_none(), again))
    }
}

#[async_trait]
impl IdentityStore for Planted {
    async fn user(&self, scope: &TenantScope, id: UserId) -> Result<Option<User>> {
        for scope in self.leaks(scope) {
            if let Some(mut user) = self.inner.user(&scope, id).await? {
                if self.has(Fault::ForgetsUpdates) {
                    user.updated_at = user.created_at;
                }
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    async fn standing(
        &self,
        scope: &SystemScope,
        tenant: TenantId,
        of: StandingOf,
    ) -> Result<Option<Standing>> {
        let mut standing = self.inner.standing(scope, tenant, of).await?;
        if let Some(standing) = &mut standing {
            let others = self.scopes.lock().unwrap().clone();
            for other in others {
                if standing.credential.is_none() && self.has(Fault::LeaksTenants) {
                    let theirs = self.inner.standing(scope, other.tenant(), of).await?;
                    standing.credential = theirs.and_then(|theirs| theirs.credential);
                }
            }
            let credential = standing.credential.take();
            standing.credential = credential.map(|own| self.damaged_credential(own));
        }
        Ok(standing)
    }

    async fn accounts(
        &self,
        scope: &SystemScope,
        name: &SignInName,
        limit: usize,
    ) -> Result<Vec<(TenantId, UserId)>> {
        let limit = if self.has(Fault::NamesOneAccount) { 1 } else { limit };
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
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.credentials(&scope, kind, user, after, limit).await?);
        }
        if self.has(Fault::KeepsUselessSignIns) && kind == CredentialKind::SignIn {
            let kept = self.sign_ins.lock().unwrap();
            found = kept.values().filter(|own| own.user_id() == user).cloned().collect();
        }
        let found = found.into_iter().map(|own| self.damaged_credential(own)).collect();
        Ok(self.paged(found, after.is_none(), None))
    }

    async fn users(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<User>> {
        let page = self.inner.users(scope, after, limit).await?;
        Ok(self.paged(page, after.is_none(), None))
    }
}

#[async_trait]
impl IdempotencyStore for Planted {
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>> {
        if self.has(Fault::ForgetsOutcomes) {
            return Ok(None);
        }
        let now = now.saturating_add_micros(-i64::from(self.has(Fault::IncludesEnds)));
        for scope in self.leaks(scope) {
            if let Some(outcome) = self.inner.outcome(&scope, key, now).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl CompanyStore for Planted {
    async fn company(&self, scope: &TenantScope, id: CompanyId) -> Result<Option<Company>> {
        for scope in self.leaks(scope) {
            if let Some(mut company) = self.inner.company(&scope, id).await? {
                if self.has(Fault::DropsDomains) {
                    company.domain = None;
                }
                return Ok(Some(company));
            }
        }
        Ok(None)
    }

    async fn companies_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[CompanyKey],
    ) -> Result<Vec<Company>> {
        let mut found = self.inner.companies_by_keys(scope, keys).await?;
        if self.has(Fault::KeepsOldKeys) {
            let old = self.old_keys.lock().unwrap().clone();
            for (_, id) in old.into_iter().filter(|(key, _)| keys.contains(key)) {
                found.extend(self.inner.company(scope, id).await?);
            }
        }
        Ok(found)
    }

    async fn companies(
        &self,
        scope: &TenantScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Company>> {
        let page = self.inner.companies(scope, after, limit).await?;
        Ok(self.paged(page, after.is_none(), None))
    }
}

#[async_trait]
impl ContactStore for Planted {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        if self.is_hidden(id) {
            return Ok(None);
        }
        for scope in self.leaks(scope) {
            if let Some(contact) = self.inner.contact(&scope, id).await? {
                return Ok(Some(self.damaged(contact)));
            }
        }
        Ok(None)
    }

    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        let mut found = self.inner.contacts_by_ids(scope, ids).await?;
        if self.has(Fault::SortsByIds) {
            found.sort_by_key(|contact| contact.id);
        }
        Ok(found)
    }

    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        let mut found = self.inner.contacts_by_keys(scope, keys).await?;
        let deleted = match self.fault {
            Fault::KeepsDeletedEmails => Deleted::Only,
            _ => Deleted::Exclude,
        };
        for key in keys {
            let filter = ContactFilter { keys: vec![key.clone()], deleted, ..Default::default() };
            let query = ContactQuery { filter, limit: usize::MAX, ..ContactQuery::default() };
            let holders = self.inner.contacts(scope, &query).await?;
            let Some(last) = holders.iter().map(|contact| contact.id).max() else { continue };
            match self.fault {
                Fault::KeepsDeletedEmails => found.push((key.clone(), last)),
                Fault::NamesLastHolder => {
                    found.retain(|(other, _)| other != key);
                    found.push((key.clone(), last));
                }
                _ => {}
            }
        }
        if self.has(Fault::KeepsOldKeys) {
            let old = self.old_contact_keys.lock().unwrap();
            found.extend(old.iter().filter(|(key, _)| keys.contains(key)).cloned());
        }
        if self.has(Fault::ForgetsEmails) {
            found.retain(|(key, _)| !matches!(key, ContactKey::Email(_)));
        }
        Ok(found)
    }

    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        let mut query = query.clone();
        query.filter.created_before = self.end(query.filter.created_before);
        query.filter.updated_before = self.end(query.filter.updated_before);
        if self.has(Fault::SkipsTies)
            && let Some((_, id)) = &mut query.after
        {
            *id = if query.descending { Uuid::nil() } else { Uuid::max() };
        }
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.contacts(&scope, &query).await?);
        }
        found.retain(|contact| !self.is_hidden(contact.id));
        Ok(found.into_iter().map(|contact| self.damaged(contact)).collect())
    }

    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        let mut filter = filter.clone();
        if self.has(Fault::CountsDeleted) {
            filter.deleted = Deleted::Include;
        }
        self.inner.count_contacts(scope, &filter).await
    }
}

#[async_trait]
impl SearchStore for Planted {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        let mut lookup = lookup.clone();
        if self.has(Fault::TakesPatterns) {
            for prefix in &mut lookup.word_prefixes {
                prefix.truncate(prefix.find('_').unwrap_or(prefix.len()));
            }
        }
        let mut found = BTreeSet::new();
        for scope in self.visible(scope, self.has(Fault::SharesWords)) {
            found.extend(self.inner.find_words(&scope, &lookup).await?);
        }
        Ok(found.into_iter().collect())
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        let mut found = self.inner.find_candidates(scope, query).await?;
        if self.has(Fault::CachesSearch) {
            let asked = format!("{} {query:?}", scope.tenant());
            found = self.answered.lock().unwrap().entry(asked).or_insert(found).clone();
        }
        if self.has(Fault::ReversesCandidates) {
            found.reverse();
        }
        if self.has(Fault::ChangesTerms) {
            for candidate in &mut found {
                candidate.terms.push(' ');
            }
        }
        found.retain(|candidate| !self.is_hidden(candidate.contact));
        Ok(found)
    }
}

#[async_trait]
impl ActivityStore for Planted {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        for scope in self.leaks(scope) {
            if let Some(activity) = self.inner.activity(&scope, id).await? {
                return Ok(Some(self.damaged_activity(activity)));
            }
        }
        Ok(None)
    }

    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        let mut query = query.clone();
        query.filter.to = self.end(query.filter.to);
        if self.has(Fault::SkipsTies)
            && let Some((_, id)) = &mut query.after
        {
            *id = ActivityId::from_uuid(Uuid::nil());
        }
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.activities(&scope, &query).await?);
        }
        if self.has(Fault::ForgetsTimeline) {
            found.retain(|activity| activity.kind() != ActivityKind::ContactDeleted);
        }
        if self.has(Fault::DoublesCalls) {
            let mut again: Vec<_> =
                found.iter().filter(|of| of.kind() == ActivityKind::Call).cloned().collect();
            again.iter_mut().for_each(|entry| entry.id = ActivityId::from_uuid(Uuid::nil()));
            found.extend(again);
        }
        if self.has(Fault::ForgetsCalls) {
            found.iter_mut().for_each(|activity| activity.body = None);
        }
        Ok(found.into_iter().map(|activity| self.damaged_activity(activity)).collect())
    }

    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        let mut filter = filter.clone();
        if self.has(Fault::StatsOfEverybody) {
            filter.user_id = None;
        }
        self.inner.activity_stats(scope, &filter, group_by).await
    }
}

#[async_trait]
impl AuditStore for Planted {
    async fn audit_entries(
        &self,
        scope: &TenantScope,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.audit_entries(&scope, query).await?);
        }
        if self.has(Fault::ForgetsAudit) {
            found.retain(|entry| entry.action != EventName::ContactDeleted);
        }
        Ok(self.paged(found, query.before.is_none(), None))
    }
}
