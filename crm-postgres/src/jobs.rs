//! The queue.

use async_trait::async_trait;
use crm_core::jobs::{
    Claim, ClaimedJob, DueSchedule, Job, JobEnd, JobQuery, Lease, Schedule, Settlement,
};
use crm_core::ports::JobStore;
use crm_core::{Error, JobId, Result, SystemScope, TenantId, TenantScope, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, get, json_text, parsed, timestamp, to_json};

#[async_trait]
impl JobStore for PostgresStore {
    async fn claim_jobs(&self, scope: &SystemScope, claim: &Claim) -> Result<Vec<ClaimedJob>> {
        let kinds: Vec<String> = claim.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        let after = claim.after.map_or(Uuid::nil(), |tenant| tenant.as_uuid());
        let values = vec![
            kinds.into(),
            bigint(claim.limit).into(),
            after.into(),
            claim.now.into(),
            claim.until.into(),
        ];
        let rows = self.call_queue(scope, "claim_jobs", values).await?;
        rows.iter()
            .map(|row| {
                let job = job(row)?;
                let tenant = TenantId::from_uuid(get(row, "tenant_id")?);
                let lease = Lease { tenant, job: job.id, token: get(row, "token")? };
                Ok(ClaimedJob { lease, region: parsed(row, "region")?, job })
            })
            .collect()
    }

    async fn keep_jobs(
        &self,
        scope: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        // In one order for all, so that two callers wait for each other and do not lock each other out.
        let mut leases = leases.to_vec();
        leases.sort_by_key(|lease| (lease.tenant, lease.job));
        let [tenants, ids, tokens] = columns(leases.iter());
        let values = vec![tenants, ids, tokens, now.into(), until.into()];
        let rows = self.call_queue(scope, "keep_jobs", values).await?;
        rows.iter()
            .map(|row| {
                let place: i64 = row.try_get(0).map_err(Error::internal)?;
                // Places of the database count from 1.
                let lease = usize::try_from(place - 1).ok().and_then(|place| leases.get(place));
                lease.copied().ok_or_else(|| Error::internal("a lease that was not named"))
            })
            .collect()
    }

    async fn settle_jobs(
        &self,
        scope: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let mut settlements: Vec<&Settlement> = settlements.iter().collect();
        settlements.sort_by_key(|settlement| (settlement.lease.tenant, settlement.lease.job));
        let [tenants, ids, tokens] = columns(settlements.iter().map(|one| &one.lease));
        let (mut ends, mut run_at, mut failures) = (vec![], vec![], vec![]);
        for settlement in settlements {
            let (end, at, failure) = match &settlement.end {
                JobEnd::Done => ("done", now, None),
                JobEnd::Snooze(at) => ("later", *at, None),
                JobEnd::Retry(at, failure) => ("again", *at, Some(to_json(failure)?)),
                JobEnd::Dead(failure) => ("dead", now, Some(to_json(failure)?)),
            };
            ends.push(end.to_owned());
            run_at.push(at);
            failures.push(failure);
        }
        let values =
            vec![tenants, ids, tokens, ends.into(), run_at.into(), failures.into(), now.into()];
        self.call_queue(scope, "settle_jobs", values).await.map(drop)
    }

    async fn due_schedules(
        &self,
        scope: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        let values = vec![now.into(), bigint(limit).into()];
        let rows = self.call_for(scope, "schedules_due", values).await?;
        rows.iter()
            .map(|row| {
                let schedule = serde_json::from_str(json_text(row, "doc")?);
                Ok(DueSchedule {
                    tenant: TenantId::from_uuid(get(row, "tenant_id")?),
                    region: parsed(row, "region")?,
                    schedule: schedule.map_err(Error::internal)?,
                })
            })
            .collect()
    }

    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>> {
        let state = query.state.map(|state| state.as_str().to_owned());
        let kind = query.kind.as_ref().map(|kind| kind.as_str().to_owned());
        // Ids are of version 7; this one comes after all of them.
        let before = query.before.map_or(Uuid::max(), |id| id.as_uuid());
        let values = vec![state.into(), kind.into(), before.into(), bigint(query.limit).into()];
        self.call(scope, "job_list", values).await?.iter().map(job).collect()
    }

    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>> {
        let rows = self.call(scope, "job_get", vec![id.as_uuid().into()]).await?;
        rows.first().map(job).transpose()
    }

    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>> {
        docs(&self.call(scope, "schedule_list", Vec::new()).await?)
    }
}

/// The tenants, the jobs and the tokens.
fn columns<'l>(leases: impl Iterator<Item = &'l Lease> + Clone) -> [crate::statement::Value; 3] {
    [
        leases.clone().map(|lease| lease.tenant.as_uuid()).collect::<Vec<_>>().into(),
        leases.clone().map(|lease| lease.job.as_uuid()).collect::<Vec<_>>().into(),
        leases.map(|lease| lease.token).collect::<Vec<_>>().into(),
    ]
}

fn job(row: &PgRow) -> Result<Job> {
    let count = |column| u32::try_from(get::<i64>(row, column)?).map_err(Error::internal);
    let failure: Option<sqlx::types::Json<String>> = get(row, "failure")?;
    Ok(Job::from_stored(
        JobId::from_uuid(get(row, "id")?),
        parsed(row, "kind")?,
        serde_json::from_str(json_text(row, "payload")?).map_err(Error::internal)?,
        parsed(row, "state")?,
        get(row, "priority")?,
        timestamp(row, "run_at")?,
        count("attempts")?,
        count("max_attempts")?,
        get(row, "unique_key")?,
        failure.map(|failure| failure.0),
        parsed(row, "request_id")?,
        timestamp(row, "created_at")?,
    ))
}
