//! What jobs ask of storage.

use async_trait::async_trait;

use super::model::{Claim, ClaimedJob, Job, JobKind, JobState, Lease, Schedule, Settlement};
use crate::error::Result;
use crate::id::{JobId, TenantId};
use crate::phone::Region;
use crate::scope::{SystemScope, TenantScope};
use crate::time::Timestamp;

/// One page of a tenant's jobs, the newest first.
#[derive(Debug, Clone, Default)]
pub struct JobQuery {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// Only those that were enqueued before this one.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: usize,
}

/// A schedule whose time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSchedule {
    /// The tenant.
    pub tenant: TenantId,
    /// The region of its phone numbers.
    pub region: Region,
    /// The schedule.
    pub schedule: Schedule,
}

/// The queue. Jobs are enqueued by [`Changes::jobs`](crate::Changes::jobs), and completed by
/// [`Changes::lease`](crate::Changes::lease) or here.
///
/// # Behavior
///
/// - A job is there when its unit of work is, and not otherwise. (`jobs_are_enqueued_with_their_cause`)
/// - While a job with a unique key waits, a second one of its kind and tenant is dropped; while it runs,
///   one more waits. (`unique_jobs_wait_once`)
/// - A unit under a lease is applied only while the lease is good, and completes its job with it or not
///   at all. (`a_lost_lease_commits_nothing`, `a_job_ends_with_its_effect`)
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Claims jobs: those whose time has come, and those whose lease has run out, of which the ones
    /// without a try left are dead. Each (kind, tenant) has its turn, the least priority first,
    /// then the earliest.
    ///
    /// # Behavior
    ///
    /// - A job is claimed by one worker at a time. (`a_job_is_claimed_once`)
    /// - A job whose lease has run out is claimed again, under a greater token; when its tries are used
    ///   up it is dead. (`a_lapsed_lease_is_rescued`, `a_job_that_kills_its_workers_is_given_up`)
    /// - What comes later is not claimed before its time. (`scheduled_jobs_wait`)
    /// - Many jobs of one tenant do not hold up another's. (`tenants_take_turns`)
    /// - Within a tenant and kind, priority and then time decide. (`priority_decides_within_a_tenant`)
    async fn claim_jobs(&self, scope: &SystemScope, claim: &Claim) -> Result<Vec<ClaimedJob>>;

    /// Prolongs leases until `until`, and says which of them are good.
    ///
    /// # Behavior
    ///
    /// - A lease that is kept does not run out; one that was lost is not given back.
    ///   (`a_lease_is_kept`)
    async fn keep_jobs(
        &self,
        scope: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>>;

    /// Writes down what became of jobs. A lease whose job another worker has claimed since changes nothing.
    ///
    /// # Behavior
    ///
    /// - Each end is kept: done, later, again, dead. (`jobs_end_as_told`)
    /// - Who has lost the lease settles nothing. (`a_lost_lease_settles_nothing`)
    async fn settle_jobs(
        &self,
        scope: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()>;

    /// Schedules whose time has come, at most `limit`, the earliest first.
    ///
    /// # Behavior
    ///
    /// - A schedule is due from its time on, for one commit of its next one. (`a_schedule_fires_once`)
    async fn due_schedules(
        &self,
        scope: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>>;

    /// One page of the tenant's jobs.
    ///
    /// # Behavior
    ///
    /// - Jobs of other tenants are not seen; filters hold; pages are whole. (`jobs_are_listed`)
    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>>;

    /// The job with this id, while it is not done.
    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>>;

    /// The tenant's schedules by name, of which there are at most a hundred.
    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>>;
}
