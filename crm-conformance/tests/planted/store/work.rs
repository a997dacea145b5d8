//! Jobs, calls and what they need, with their faults.

use std::time::Duration;

use async_trait::async_trait;
use crm_core::calls::store::CallQuery;
use crm_core::calls::{Call, CallStatus};
use crm_core::jobs::{
    Claim, ClaimedJob, DueSchedule, Job, JobQuery, JobState, Lease, Schedule, Settlement,
};
use crm_core::ports::{CallStore, JobStore, PrivacyStore, TelephonyStore};
use crm_core::privacy::Consent;
use crm_core::telephony::TelephonyAccount;
use crm_core::{
    CallId, ContactId, JobId, Result, SystemScope, TelephonyAccountId, TenantId, TenantScope,
    Timestamp,
};
use uuid::Uuid;

use super::{Fault, Planted};

#[async_trait]
impl JobStore for Planted {
    async fn claim_jobs(&self, scope: &SystemScope, claim: &Claim) -> Result<Vec<ClaimedJob>> {
        let mut claim = claim.clone();
        if self.has(Fault::ClaimsEarly) {
            claim.now = claim.now.after(Duration::from_secs(3600));
        }
        let limit = claim.limit;
        if self.has(Fault::ForgetsTurns) {
            claim.limit = usize::MAX;
        }
        let mut claimed = self.inner.claim_jobs(scope, &claim).await?;
        if self.has(Fault::ForgetsTurns) {
            claimed.sort_by_key(|claimed| (claimed.lease.tenant, claimed.job.id));
            claimed.truncate(limit);
        }
        if self.has(Fault::IgnoresPriority) {
            claimed.reverse();
        }
        if self.has(Fault::LosesLapsed) {
            claimed.retain(|claimed| claimed.lease.token == 1);
        }
        if self.has(Fault::LosesJobs) {
            claimed.clear();
        }
        let mut known = self.claimed.lock().unwrap();
        if self.has(Fault::ClaimsTwice) && claimed.is_empty() {
            return Ok(known.iter().take(limit).cloned().collect());
        }
        known.extend(claimed.iter().cloned());
        Ok(claimed)
    }

    async fn keep_jobs(
        &self,
        scope: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>> {
        if self.has(Fault::KeepsInWords) {
            return Ok(leases.to_vec());
        }
        self.inner.keep_jobs(scope, leases, now, until).await
    }

    async fn settle_jobs(
        &self,
        scope: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()> {
        let mut settlements = settlements.to_vec();
        if self.has(Fault::SettlesForAnybody) {
            let known = self.claimed.lock().unwrap();
            for settlement in &mut settlements {
                let of_job = known.iter().filter(|own| own.lease.job == settlement.lease.job);
                settlement.lease.token = of_job.map(|own| own.lease.token).max().unwrap();
            }
        }
        if self.has(Fault::SettlesNothing) {
            settlements.clear();
        }
        self.inner.settle_jobs(scope, &settlements, now).await
    }

    async fn due_schedules(
        &self,
        scope: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        let later = u64::from(self.has(Fault::IncludesEnds));
        self.inner.due_schedules(scope, now.after(Duration::from_micros(later)), limit).await
    }

    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.jobs(&scope, query).await?);
        }
        found.extend(self.left_jobs.lock().unwrap().iter().cloned());
        Ok(self.paged(found, query.before.is_none(), None))
    }

    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>> {
        let mut job = self.inner.job(scope, id).await?;
        if let Some(job) = &mut job
            && self.has(Fault::RaisesTheDead)
            && job.state == JobState::Dead
        {
            job.state = JobState::Ready;
        }
        Ok(job)
    }

    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>> {
        self.inner.schedules(scope).await
    }
}

impl Planted {
    fn damaged_call(&self, mut call: Call) -> Call {
        call.note = call.note.map(|note| self.cut(note));
        if self.has(Fault::ForgetsUpdates) {
            call.updated_at = call.created_at;
        }
        call
    }
}

#[async_trait]
impl CallStore for Planted {
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>> {
        for scope in self.leaks(scope) {
            if let Some(call) = self.inner.call(&scope, id).await? {
                return Ok(Some(self.damaged_call(call)));
            }
        }
        Ok(None)
    }

    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>> {
        let name = match self.fault {
            Fault::TakesPatterns => provider_call_id.to_uppercase(),
            _ => provider_call_id.to_owned(),
        };
        self.inner.call_of_provider(scope, account, &name).await
    }

    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>> {
        let mut query = query.clone();
        query.filter.to = self.end(query.filter.to);
        if self.has(Fault::SkipsTies)
            && let Some((_, id)) = &mut query.after
        {
            *id = CallId::from_uuid(Uuid::nil());
        }
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.calls(&scope, &query).await?);
        }
        if query.filter.status == Some(CallStatus::Completed) && self.has(Fault::LosesHalf) {
            found.pop();
        }
        Ok(found.into_iter().map(|call| self.damaged_call(call)).collect())
    }
}

#[async_trait]
impl PrivacyStore for Planted {
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.consents(&scope, contacts, history).await?);
        }
        if self.has(Fault::ForgetsUpdates) {
            found.reverse();
        }
        Ok(found)
    }
}

#[async_trait]
impl TelephonyStore for Planted {
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>> {
        let mut found = Vec::new();
        for scope in self.leaks(scope) {
            found.extend(self.inner.telephony_accounts(&scope).await?);
        }
        Ok(found)
    }

    async fn accounts_of_carrier(
        &self,
        scope: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>> {
        let limit = if self.has(Fault::NamesOneAccount) { 1 } else { limit };
        self.inner.accounts_of_carrier(scope, provider, name, limit).await
    }
}
