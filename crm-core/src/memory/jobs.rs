//! Jobs.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::tenant::TenantData;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{JobId, TenantId};
use crate::jobs::{
    Claim, ClaimedJob, DueSchedule, Job, JobEnd, JobQuery, JobState, Lease, LeaseUse, Schedule,
    Settlement,
};
use crate::ports::JobStore;
use crate::scope::{SystemScope, TenantScope};
use crate::time::Timestamp;

/// A job, and the claim on it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) job: Job,
    token: i64,
    until: Timestamp,
}

impl TenantData {
    /// Refuses a unit whose lease is not good.
    pub(super) fn check_lease(&self, used: LeaseUse, at: Timestamp) -> Result<()> {
        if self.holds(used.lease, at) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "the lease of the job is lost"))
    }

    fn holds(&self, lease: Lease, at: Timestamp) -> bool {
        self.jobs.get(&lease.job).is_some_and(|kept| {
            kept.job.state == JobState::Running && kept.token == lease.token && kept.until > at
        })
    }

    pub(super) fn enqueue(&mut self, job: &Job) {
        if !self.waits_like(job) {
            let kept = Kept { job: job.clone(), token: 0, until: Timestamp::MIN };
            self.jobs.insert(job.id, kept);
        }
    }

    /// Whether another job with the unique key of this one waits.
    fn waits_like(&self, job: &Job) -> bool {
        job.unique_key.is_some()
            && self.jobs.values().any(|kept| {
                let other = &kept.job;
                other.id != job.id
                    && matches!(other.state, JobState::Scheduled | JobState::Ready)
                    && (&other.kind, &other.unique_key) == (&job.kind, &job.unique_key)
            })
    }

    /// The job waits, unless another one takes its place.
    pub(super) fn release(&mut self, mut job: Job, now: Timestamp) {
        job.state = if job.run_at > now { JobState::Scheduled } else { JobState::Ready };
        if self.waits_like(&job) {
            self.jobs.remove(&job.id);
        } else if let Some(kept) = self.jobs.get_mut(&job.id) {
            kept.job = job;
        }
    }

    fn settle(&mut self, settlement: &Settlement, now: Timestamp) {
        let lease = settlement.lease;
        if !self.holds(lease, Timestamp::MIN) {
            return;
        }
        let Some(kept) = self.jobs.get_mut(&lease.job) else { return };
        let mut job = kept.job.clone();
        match &settlement.end {
            JobEnd::Done => {
                self.jobs.remove(&lease.job);
            }
            JobEnd::Snooze(at) => {
                job.attempts = job.attempts.saturating_sub(1);
                job.run_at = *at;
                self.release(job, now);
            }
            JobEnd::Retry(at, failure) => {
                job.failure = Some(failure.clone());
                job.run_at = *at;
                self.release(job, now);
            }
            JobEnd::Dead(failure) => {
                kept.job.failure = Some(failure.clone());
                kept.job.state = JobState::Dead;
            }
        }
    }

    /// Makes ready what is due, and frees what was left.
    fn wake(&mut self, now: Timestamp) {
        let all: Vec<Kept> = self.jobs.values().cloned().collect();
        for kept in all {
            let (mut job, lapsed) = (kept.job, kept.until <= now);
            match job.state {
                JobState::Scheduled if job.run_at <= now => self.release(job, now),
                JobState::Running if lapsed && job.attempts >= job.max_attempts => {
                    job.state = JobState::Dead;
                    job.failure = Some("its workers did not come back".to_owned());
                    if let Some(kept) = self.jobs.get_mut(&job.id) {
                        kept.job = job;
                    }
                }
                JobState::Running if lapsed => {
                    job.run_at = now;
                    self.release(job, now);
                }
                JobState::Scheduled | JobState::Ready | JobState::Running | JobState::Dead => {}
            }
        }
    }
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn claim_jobs(&self, _: &SystemScope, claim: &Claim) -> Result<Vec<ClaimedJob>> {
        let mut tenants = self.write();
        for data in tenants.values_mut() {
            data.wake(claim.now);
        }
        // The lane of each kind of each tenant, those after the last tenant first.
        let mut lanes: Vec<Vec<(TenantId, JobId)>> = Vec::new();
        let (before, after): (Vec<_>, Vec<_>) =
            tenants.iter().partition(|(id, _)| claim.after.is_some_and(|last| **id <= last));
        for (tenant, data) in after.into_iter().chain(before) {
            let mut by_kind: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
            let ready = data
                .jobs
                .values()
                .map(|kept| &kept.job)
                .filter(|job| job.state == JobState::Ready && claim.kinds.contains(&job.kind));
            for job in ready {
                by_kind.entry(job.kind.as_str()).or_default().push(job);
            }
            for mut lane in by_kind.into_values() {
                lane.sort_by_key(|job| (job.priority, job.run_at, job.id));
                lanes.push(lane.into_iter().map(|job| (*tenant, job.id)).collect());
            }
        }
        let longest = lanes.iter().map(Vec::len).max().unwrap_or_default();
        let turns: Vec<(TenantId, JobId)> = (0..longest)
            .flat_map(|turn| lanes.iter().filter_map(move |lane| lane.get(turn).copied()))
            .take(claim.limit)
            .collect();
        let mut claimed = Vec::new();
        for (tenant, id) in turns {
            let Some(data) = tenants.get_mut(&tenant) else { continue };
            let region = data.tenant.default_region;
            let Some(kept) = data.jobs.get_mut(&id) else { continue };
            kept.token += 1;
            kept.until = claim.until;
            kept.job.state = JobState::Running;
            kept.job.attempts += 1;
            let lease = Lease { tenant, job: id, token: kept.token };
            claimed.push(ClaimedJob { lease, region, job: kept.job.clone() });
        }
        Ok(claimed)
    }

    async fn keep_jobs(
        &self,
        _: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>> {
        let mut tenants = self.write();
        let mut good = Vec::new();
        for lease in leases {
            let Some(data) = tenants.get_mut(&lease.tenant) else { continue };
            if data.holds(*lease, now)
                && let Some(kept) = data.jobs.get_mut(&lease.job)
            {
                kept.until = until;
                good.push(*lease);
            }
        }
        Ok(good)
    }

    async fn settle_jobs(
        &self,
        _: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()> {
        let mut tenants = self.write();
        for settlement in settlements {
            if let Some(data) = tenants.get_mut(&settlement.lease.tenant) {
                data.settle(settlement, now);
            }
        }
        Ok(())
    }

    async fn due_schedules(
        &self,
        _: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        let tenants = self.read();
        let mut due: Vec<DueSchedule> = tenants
            .iter()
            .flat_map(|(tenant, data)| {
                let region = data.tenant.default_region;
                let schedules = data.schedules.values();
                schedules.map(move |schedule| DueSchedule {
                    tenant: *tenant,
                    region,
                    schedule: schedule.clone(),
                })
            })
            .filter(|due| due.schedule.next_at.is_some_and(|next| next <= now))
            .collect();
        due.sort_by_key(|due| (due.schedule.next_at, due.schedule.id));
        due.truncate(limit);
        Ok(due)
    }

    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>> {
        Ok(self.of(scope.tenant(), |data| {
            data.jobs
                .values()
                .rev()
                .map(|kept| &kept.job)
                .filter(|job| query.state.is_none_or(|state| job.state == state))
                .filter(|job| query.kind.as_ref().is_none_or(|kind| job.kind == *kind))
                .filter(|job| query.before.is_none_or(|before| job.id < before))
                .take(query.limit)
                .cloned()
                .collect()
        }))
    }

    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>> {
        Ok(self.of(scope.tenant(), |data| data.jobs.get(&id).map(|kept| kept.job.clone())))
    }

    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut all: Vec<Schedule> = data.schedules.values().cloned().collect();
            all.sort_by(|one, other| one.name.cmp(&other.name));
            all
        }))
    }
}
