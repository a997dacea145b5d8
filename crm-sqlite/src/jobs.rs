//! The queue.

use async_trait::async_trait;
use crm_core::jobs::{
    Claim, ClaimedJob, DueSchedule, Job, JobEnd, JobKind, JobQuery, JobState, Lease, LeaseUse,
    Schedule, Settlement,
};
use crm_core::ports::JobStore;
use crm_core::tenancy::Tenant;
use crm_core::{Error, ErrorKind, JobId, Result, SystemScope, TenantScope, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::error::{Refused, is_taken};
use crate::readers::tenant_number;
use crate::rows::{from_doc, not_at_version, parsed, timestamp, to_doc, unreadable, uuid};

/// Rows that one claim wakes at most of each kind: a backlog is worked off by several.
const MOST_WOKEN: usize = 500;

const SCHEDULED: i64 = 0;
const READY: i64 = 1;
const RUNNING: i64 = 2;
const DEAD: i64 = 3;

const fn number(state: JobState) -> i64 {
    match state {
        JobState::Scheduled => SCHEDULED,
        JobState::Ready => READY,
        JobState::Running => RUNNING,
        JobState::Dead => DEAD,
    }
}

const COLUMNS: &str =
    "id, kind, payload, state, priority, run_at, attempts, max_attempts, unique_key,
    failure, request_id, created_at";

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let payload = serde_json::from_str(row.get_ref(2)?.as_str()?);
    let state: i64 = row.get(3)?;
    let state = JobState::ALL.iter().copied().find(|known| number(*known) == state);
    Ok(Job::from_stored(
        JobId::from_uuid(uuid(row, 0)?),
        parsed(row, 1)?,
        payload.map_err(|error| unreadable(2, error))?,
        state.ok_or_else(|| unreadable(3, "a state that is none"))?,
        row.get(4)?,
        timestamp(row, 5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        parsed(row, 10)?,
        timestamp(row, 11)?,
    ))
}

pub(crate) fn enqueue(connection: &Connection, tenant: i64, job: &Job) -> Result<(), Refused> {
    connection
        .prepare_cached(
            "INSERT INTO job (tenant_no, id, kind, state, priority, run_at, attempts, max_attempts,
                              unique_key, payload, request_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (tenant_no, kind, unique_key)
                 WHERE state IN (0, 1) AND unique_key IS NOT NULL DO NOTHING",
        )?
        .execute(params![
            tenant,
            job.id.as_uuid().as_bytes(),
            job.kind.as_str(),
            number(job.state),
            job.priority,
            job.run_at.as_micros(),
            job.attempts,
            job.max_attempts,
            job.unique_key,
            job.payload.to_string(),
            job.request_id.as_str(),
            job.created_at.as_micros(),
        ])?;
    Ok(())
}

/// Refuses a unit whose lease is not good, and ends its job where the unit does.
pub(crate) fn use_lease(
    connection: &Connection,
    tenant: i64,
    used: LeaseUse,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = if used.completes {
        "DELETE FROM job
         WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND lease_until > ?4"
    } else {
        "UPDATE job SET token = token
         WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND lease_until > ?4"
    };
    let lease = used.lease;
    let id = lease.job.as_uuid();
    let values = params![tenant, id.as_bytes(), lease.token, at.as_micros()];
    match connection.prepare_cached(sql)?.execute(values)? {
        0 => Err(Error::new(ErrorKind::Conflict, "the lease of the job is lost").into()),
        _ => Ok(()),
    }
}

/// The job waits from now on, unless another one waits under its unique key: then it goes.
fn release(
    connection: &Connection,
    tenant: i64,
    id: &[u8],
    run_at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let state = if run_at > now { SCHEDULED } else { READY };
    let released = connection
        .prepare_cached(
            "UPDATE job SET state = ?3, run_at = ?4, lease_until = NULL
             WHERE tenant_no = ?1 AND id = ?2",
        )?
        .execute(params![tenant, id, state, run_at.as_micros()]);
    match released {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => remove(connection, tenant, id),
        Err(error) => Err(error),
    }
}

fn remove(connection: &Connection, tenant: i64, id: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM job WHERE tenant_no = ?1 AND id = ?2")?
        .execute(params![tenant, id])?;
    Ok(())
}

pub(crate) fn retry(
    connection: &Connection,
    tenant: i64,
    id: JobId,
    now: Timestamp,
) -> Result<(), Refused> {
    let id = id.as_uuid();
    let revived = connection
        .prepare_cached(
            "UPDATE job SET attempts = 0 WHERE tenant_no = ?1 AND id = ?2 AND state = 3",
        )?
        .execute(params![tenant, id.as_bytes()])?;
    if revived == 0 {
        return Err(Error::not_found("job").into());
    }
    Ok(release(connection, tenant, id.as_bytes(), now, now)?)
}

pub(crate) fn discard(connection: &Connection, tenant: i64, id: JobId) -> Result<(), Refused> {
    let discarded = connection
        .prepare_cached("DELETE FROM job WHERE tenant_no = ?1 AND id = ?2 AND state = 3")?
        .execute(params![tenant, id.as_uuid().as_bytes()])?;
    if discarded == 0 { Err(Error::not_found("job").into()) } else { Ok(()) }
}

pub(crate) fn put_schedule(
    connection: &Connection,
    tenant: i64,
    schedule: &Schedule,
    expected_version: i64,
) -> Result<(), Refused> {
    let id = schedule.id.as_uuid();
    let next_at = schedule.next_at.map(Timestamp::as_micros);
    let doc = to_doc(schedule)?;
    if expected_version > 0 {
        let updated = connection
            .prepare_cached(
                "UPDATE schedule SET next_at = ?4, version = ?5, doc = ?6
                 WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
            )?
            .execute(params![
                tenant,
                id.as_bytes(),
                expected_version,
                next_at,
                schedule.version,
                doc
            ])?;
        return match updated {
            1 => Ok(()),
            _ => Err(not_at_version(connection, "schedule", tenant, id, expected_version)),
        };
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO schedule (tenant_no, id, name, next_at, version, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![tenant, id.as_bytes(), schedule.name, next_at, schedule.version, doc]);
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => {
            let holder: Uuid = connection
                .prepare_cached("SELECT id FROM schedule WHERE tenant_no = ?1 AND name = ?2")?
                .query_row(params![tenant, schedule.name], |row| uuid(row, 0))?;
            let message = format!("the schedule `{}` is there already", schedule.name);
            Err(Error::already_exists("name", holder, message).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a claim would find something to do: asked of a reader, so that a worker without work does not
/// trouble the writer.
fn is_anything_due(connection: &Connection, claim: &Claim) -> rusqlite::Result<bool> {
    let now = claim.now.as_micros();
    let woken: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM job WHERE state = 0 AND run_at <= ?1)
                 OR EXISTS (SELECT 1 FROM job WHERE state = 2 AND lease_until <= ?1)",
        )?
        .query_row([now], |row| row.get(0))?;
    if woken {
        return Ok(true);
    }
    for kind in &claim.kinds {
        let ready: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM job WHERE state = 1 AND kind = ?1)")?
            .query_row([kind.as_str()], |row| row.get(0))?;
        if ready {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Frees what was left, and makes ready what is due.
fn wake(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET state = 3, lease_until = NULL, failure = 'its workers did not come back'
             WHERE state = 2 AND lease_until <= ?1 AND attempts >= max_attempts",
        )?
        .execute([now.as_micros()])?;
    let due = |sql: &str| -> rusqlite::Result<Vec<(i64, Vec<u8>, Timestamp)>> {
        connection
            .prepare_cached(sql)?
            .query_map(params![now.as_micros(), MOST_WOKEN], |row| {
                Ok((row.get(0)?, row.get(1)?, timestamp(row, 2)?))
            })?
            .collect()
    };
    let lapsed = due("SELECT tenant_no, id, run_at FROM job
                      WHERE state = 2 AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2")?;
    for (tenant, id, _) in lapsed {
        release(connection, tenant, &id, now, now)?;
    }
    let scheduled = due("SELECT tenant_no, id, run_at FROM job
                         WHERE state = 0 AND run_at <= ?1 ORDER BY run_at LIMIT ?2")?;
    for (tenant, id, run_at) in scheduled {
        release(connection, tenant, &id, run_at, now)?;
    }
    Ok(())
}

/// The tenants with ready jobs of a kind, at most `limit`, those after `after` first.
fn lanes(
    connection: &Connection,
    kind: &JobKind,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let mut next = connection.prepare_cached(
        "SELECT tenant_no FROM job WHERE state = 1 AND kind = ?1 AND tenant_no > ?2
         ORDER BY tenant_no LIMIT 1",
    )?;
    let mut found = Vec::new();
    let (mut from, mut wrapped) = (after, after <= 0);
    while found.len() < limit {
        let tenant: Option<i64> =
            next.query_row(params![kind.as_str(), from], |row| row.get(0)).optional()?;
        match tenant {
            Some(tenant) if wrapped && after > 0 && tenant > after => break,
            Some(tenant) => {
                found.push(tenant);
                from = tenant;
            }
            None if wrapped => break,
            None => {
                wrapped = true;
                from = 0;
            }
        }
    }
    Ok(found)
}

fn claim(connection: &Connection, claim: &Claim) -> Result<Vec<ClaimedJob>, Refused> {
    wake(connection, claim.now)?;
    let after = match claim.after {
        Some(tenant) => tenant_number(connection, tenant)?.unwrap_or_default(),
        None => 0,
    };
    let mut queues: Vec<(i64, std::vec::IntoIter<Vec<u8>>)> = Vec::new();
    for kind in &claim.kinds {
        for tenant in lanes(connection, kind, after, claim.limit)? {
            let ids = connection
                .prepare_cached(
                    "SELECT id FROM job INDEXED BY job_ready
                     WHERE state = 1 AND kind = ?1 AND tenant_no = ?2
                     ORDER BY priority, run_at, id LIMIT ?3",
                )?
                .query_map(params![kind.as_str(), tenant, claim.limit], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
            queues.push((tenant, ids.into_iter()));
        }
    }
    let mut claimed = Vec::new();
    while claimed.len() < claim.limit && !queues.is_empty() {
        for (tenant, ids) in &mut queues {
            if claimed.len() < claim.limit
                && let Some(id) = ids.next()
            {
                claimed.push(take(connection, *tenant, &id, claim.until)?);
            }
        }
        queues.retain(|(_, ids)| ids.len() > 0);
    }
    Ok(claimed)
}

fn take(
    connection: &Connection,
    tenant: i64,
    id: &[u8],
    until: Timestamp,
) -> rusqlite::Result<ClaimedJob> {
    let (job, token) = connection
        .prepare_cached(&format!(
            "UPDATE job SET state = 2, token = token + 1, attempts = attempts + 1, lease_until = ?3
             WHERE tenant_no = ?1 AND id = ?2 RETURNING {COLUMNS}, token"
        ))?
        .query_row(params![tenant, id, until.as_micros()], |row| {
            Ok((job(row)?, row.get::<_, i64>(12)?))
        })?;
    let tenant: Tenant = connection
        .prepare_cached("SELECT doc FROM tenant WHERE no = ?1")?
        .query_row([tenant], |row| from_doc(row, 0))?;
    let lease = Lease { tenant: tenant.id, job: job.id, token };
    Ok(ClaimedJob { lease, region: tenant.default_region, job })
}

/// Prolongs a lease that is good.
fn keep(
    connection: &Connection,
    lease: Lease,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Refused> {
    let Some(tenant) = tenant_number(connection, lease.tenant)? else { return Ok(false) };
    let kept = connection
        .prepare_cached(
            "UPDATE job SET lease_until = ?5
             WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND lease_until > ?4",
        )?
        .execute(params![
            tenant,
            lease.job.as_uuid().as_bytes(),
            lease.token,
            now.as_micros(),
            until.as_micros()
        ])?;
    Ok(kept == 1)
}

fn settle(connection: &Connection, settlement: &Settlement, now: Timestamp) -> Result<(), Refused> {
    let lease = settlement.lease;
    let Some(tenant) = tenant_number(connection, lease.tenant)? else { return Ok(()) };
    let id = lease.job.as_uuid();
    // Each begins with what only the holder of the lease can do.
    let held = |sql: &str, failure: Option<&str>| {
        connection.prepare_cached(sql)?.execute(params![
            tenant,
            id.as_bytes(),
            lease.token,
            failure
        ])
    };
    let (run_at, held) = match &settlement.end {
        JobEnd::Done => {
            held(
                "DELETE FROM job WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3
                     AND ?4 IS NULL",
                None,
            )?;
            return Ok(());
        }
        JobEnd::Dead(failure) => {
            held(
                "UPDATE job SET state = 3, lease_until = NULL, failure = ?4
                 WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3",
                Some(failure),
            )?;
            return Ok(());
        }
        JobEnd::Snooze(at) => {
            let sql = "UPDATE job SET attempts = max(attempts - 1, 0)
                       WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND ?4 IS NULL";
            (*at, held(sql, None)?)
        }
        JobEnd::Retry(at, failure) => {
            let sql = "UPDATE job SET failure = ?4
                       WHERE tenant_no = ?1 AND id = ?2 AND state = 2 AND token = ?3";
            (*at, held(sql, Some(failure))?)
        }
    };
    if held == 1 {
        release(connection, tenant, id.as_bytes(), run_at, now)?;
    }
    Ok(())
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn claim_jobs(&self, _: &SystemScope, wanted: &Claim) -> Result<Vec<ClaimedJob>> {
        if !self.readers().read(|connection| is_anything_due(connection, wanted))? {
            return Ok(Vec::new());
        }
        let wanted = wanted.clone();
        self.writer().run(move |connection| claim(connection, &wanted)).await
    }

    async fn keep_jobs(
        &self,
        _: &SystemScope,
        leases: &[Lease],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Lease>> {
        let leases = leases.to_vec();
        let keep_all = move |connection: &Connection| {
            let mut good = Vec::new();
            for lease in &leases {
                if keep(connection, *lease, now, until)? {
                    good.push(*lease);
                }
            }
            Ok(good)
        };
        self.writer().run(keep_all).await
    }

    async fn settle_jobs(
        &self,
        _: &SystemScope,
        settlements: &[Settlement],
        now: Timestamp,
    ) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let settlements = settlements.to_vec();
        let settle_all = move |connection: &Connection| {
            settlements.iter().try_for_each(|end| settle(connection, end, now))
        };
        self.writer().run(settle_all).await
    }

    async fn due_schedules(
        &self,
        _: &SystemScope,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        self.readers().read(|connection| {
            connection
                .prepare_cached(
                    "SELECT tenant.doc, schedule.doc
                     FROM schedule JOIN tenant ON tenant.no = schedule.tenant_no
                     WHERE schedule.next_at <= ?1
                     ORDER BY schedule.next_at, schedule.id LIMIT ?2",
                )?
                .query_map(params![now.as_micros(), limit], |row| {
                    let tenant: Tenant = from_doc(row, 0)?;
                    let (region, tenant) = (tenant.default_region, tenant.id);
                    Ok(DueSchedule { tenant, region, schedule: from_doc(row, 1)? })
                })?
                .collect()
        })
    }

    async fn jobs(&self, scope: &TenantScope, query: &JobQuery) -> Result<Vec<Job>> {
        let before = query.before.map(|id| id.as_uuid().into_bytes());
        let state = query.state.map(number);
        let kind = query.kind.as_ref().map(JobKind::as_str);
        // Dead jobs, which stay, have an index; the others are few or of many kinds at once.
        let sql = match query.state {
            Some(JobState::Dead) => format!(
                "SELECT {COLUMNS} FROM job INDEXED BY job_dead
                 WHERE tenant_no = ?1 AND state = 3 AND ?2 IS NOT NULL AND (?3 IS NULL OR kind = ?3)
                     AND (?4 IS NULL OR id < ?4)
                 ORDER BY id DESC LIMIT ?5"
            ),
            Some(JobState::Scheduled | JobState::Ready | JobState::Running) | None => format!(
                "SELECT {COLUMNS} FROM job
                 WHERE tenant_no = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR kind = ?3)
                     AND (?4 IS NULL OR id < ?4)
                 ORDER BY id DESC LIMIT ?5"
            ),
        };
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(&sql)?
                .query_map(params![tenant, state, kind, before, query.limit], job)?
                .collect()
        })
    }

    async fn job(&self, scope: &TenantScope, id: JobId) -> Result<Option<Job>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM job WHERE tenant_no = ?1 AND id = ?2"
                ))?
                .query_row(params![tenant, id.as_uuid().as_bytes()], job)
                .optional()
        })
    }

    async fn schedules(&self, scope: &TenantScope) -> Result<Vec<Schedule>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached("SELECT doc FROM schedule WHERE tenant_no = ?1 ORDER BY name")?
                .query_map([tenant], |row| from_doc(row, 0))?
                .collect()
        })
    }
}
