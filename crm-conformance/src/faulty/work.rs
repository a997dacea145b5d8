//! Jobs, calls and what they need.

use async_trait::async_trait;
use crm_core::calls::Call;
use crm_core::calls::store::CallQuery;
use crm_core::jobs::{Claim, ClaimedJob, DueSchedule, Job, JobQuery, Lease, Schedule, Settlement};
use crm_core::ports::{CallStore, JobStore, PrivacyStore, Store, TelephonyStore};
use crm_core::privacy::Consent;
use crm_core::telephony::TelephonyAccount;
use crm_core::{
    CallId, ContactId, JobId, Result, SystemScope, TelephonyAccountId, TenantId, TenantScope,
    Timestamp,
};

use super::FaultyStore;

#[async_trait]
impl<S: Store + ?Sized> JobStore for FaultyStore<S> {
    async fn claim_jobs(&self, scope: &SystemScope, claim: &Claim) -> Result<Vec<ClaimedJob>> {
        self.reach()?.claim_jobs(scope, claim).await
    }

    async fn keep_jobs(
        &self,
        scope: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>> {
        self.reach()?.keep_jobs(scope, leases, now, until).await
    }

    async fn settle_jobs(
        &self,
        scope: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()> {
        self.reach()?.settle_jobs(scope, settlements, now).await
    }

    async fn due_schedules(
        &self,
        scope: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        self.reach()?.due_schedules(scope, now, limit).await
    }

    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>> {
        self.reach()?.jobs(scope, query).await
    }

    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>> {
        self.reach()?.job(scope, id).await
    }

    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>> {
        self.reach()?.schedules(scope).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> CallStore for FaultyStore<S> {
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>> {
        self.reach()?.call(scope, id).await
    }

    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>> {
        self.reach()?.call_of_provider(scope, account, provider_call_id).await
    }

    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>> {
        self.reach()?.calls(scope, query).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> PrivacyStore for FaultyStore<S> {
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>> {
        self.reach()?.consents(scope, contacts, history).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> TelephonyStore for FaultyStore<S> {
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>> {
        self.reach()?.telephony_accounts(scope).await
    }

    async fn accounts_of_carrier(
        &self,
        scope: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>> {
        self.reach()?.accounts_of_carrier(scope, provider, name, limit).await
    }
}
