//! What a session can do with jobs.

use serde::Serialize;

use super::model::{Job, NewJob, Schedule, next_time};
use super::store::JobQuery;
use super::{JobKind, JobState};
use crate::access::{ManageJobs, ReadJobs};
use crate::changes::Write;
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::{JobDiscarded, JobRetried};
use crate::id::JobId;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::session::Session;

/// The jobs of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Jobs<'s> {
    pub(crate) session: &'s Session,
}

/// Schedules that a tenant can have.
const MAX_SCHEDULES: usize = 100;

impl Jobs<'_> {
    /// Enqueues a job of the host's own kind. The worker that the host runs needs a handler for it. Where
    /// another one waits under its unique key, that one stands for it, and there is none under the id given.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` for a kind of the CRM's own, a payload or a key that is too long;
    /// `unavailable` or `internal` from the store.
    pub async fn enqueue(&self, new: NewJob) -> Result<Job> {
        let mut jobs = self.enqueue_all(vec![new]).await?;
        jobs.pop().ok_or_else(|| Error::internal("the job is lost"))
    }

    /// Enqueues jobs, all or none.
    ///
    /// # Errors
    ///
    /// Those of [`Jobs::enqueue`].
    pub async fn enqueue_all(&self, new: Vec<NewJob>) -> Result<Vec<Job>> {
        self.session
            .run("jobs.enqueue", async {
                self.session.authorize::<ManageJobs>()?;
                let mut changes = self.session.new_changes();
                for new in new {
                    must_be_the_hosts(&new.kind)?;
                    changes.enqueue(self.session.env(), new)?;
                }
                let jobs = changes.jobs().to_vec();
                self.session.commit(changes).await?;
                Ok(jobs)
            })
            .await
    }

    /// The jobs in a state or of a kind, the newest first. Those that are done are gone.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(
        &self,
        state: Option<JobState>,
        kind: Option<JobKind>,
        page: &Page,
    ) -> Result<PageOf<Job>> {
        self.session
            .run("jobs.list", async {
                let permit = self.session.authorize::<ReadJobs>()?;
                let list = format!("jobs?{state:?}{kind:?}");
                let before = page.position(&list)?.map(|position| JobId::from_uuid(position.id));
                let query = JobQuery { state, kind, before, limit: page.limit() + 1 };
                let jobs = self.session.store().jobs(permit.scope(), &query).await?;
                Ok(PageOf::cut(jobs, page.limit(), &list, |last| Position {
                    key: SortKey::Time(last.created_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// The job with this id.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`, also where it is done; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: JobId) -> Result<Job> {
        self.session
            .run("jobs.get", async {
                let permit = self.session.authorize::<ReadJobs>()?;
                let job = self.session.store().job(permit.scope(), id).await?;
                job.ok_or_else(|| Error::not_found("job"))
            })
            .await
    }

    /// Tries a dead job again, with all its tries.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `conflict` when it is not dead; `unavailable` or `internal` from the store.
    pub async fn retry(&self, id: JobId) -> Result<Job> {
        self.session.run("jobs.retry", self.end(id, End::Retry)).await
    }

    /// Gives a dead job up for good.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `conflict` when it is not dead; `unavailable` or `internal` from the store.
    pub async fn discard(&self, id: JobId) -> Result<()> {
        let discarded = self.end(id, End::Discard);
        self.session.run("jobs.discard", discarded).await.map(drop)
    }

    async fn end(&self, id: JobId, end: End) -> Result<Job> {
        let look = self.session.store().job(self.session.scope(), id);
        let (_permit, job) = self.session.authorize_on::<ManageJobs, _>("job", look).await?;
        if job.state != JobState::Dead {
            let message = format!("the job is {}; only a dead one can be", job.state.as_str());
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let mut changes = self.session.new_changes();
        let (env, kind, failure) = (self.session.env(), &job.kind, job.failure.as_deref());
        match end {
            End::Retry => {
                let data = JobRetried { kind, failure };
                changes.record(env, Write::RetryJob(id), id, Vec::new(), &data)?;
            }
            End::Discard => {
                let data = JobDiscarded { kind, failure };
                changes.record(env, Write::DiscardJob(id), id, Vec::new(), &data)?;
            }
        }
        let run_at = changes.at();
        self.session.commit(changes).await?;
        Ok(Job { state: JobState::Ready, attempts: 0, run_at, ..job })
    }

    /// Enqueues a job of the host's own kind again and again, by a cron expression in UTC. A schedule with
    /// this name gets a new time and a new job.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` for an expression that is none, a name that is not one line of 1 to 100 characters, or a kind of the
    /// CRM's own; `conflict` with the hundredth and first schedule; `unavailable` or `internal` from the store.
    pub async fn schedule(
        &self,
        name: &str,
        cron: &str,
        kind: &str,
        payload: &(impl Serialize + Sync),
    ) -> Result<Schedule> {
        let attempt = || async {
            let permit = self.session.authorize::<ManageJobs>()?;
            let new = NewJob::new(kind, payload)?;
            must_be_the_hosts(&new.kind)?;
            new.check().map_err(Error::invalid)?;
            if name.trim().is_empty()
                || name.chars().nth(100).is_some()
                || name.chars().any(char::is_control)
            {
                let message = "the name of a schedule is one line of 1 to 100 characters";
                return Err(Error::invalid_field("name", "invalid_name", message));
            }
            let known = self.session.store().schedules(permit.scope()).await?;
            let before = known.iter().find(|schedule| schedule.name == name);
            if before.is_none() && known.len() >= MAX_SCHEDULES {
                let message = format!("a tenant has at most {MAX_SCHEDULES} schedules");
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let mut changes = self.session.new_changes();
            let schedule = Schedule {
                id: before.map_or_else(|| self.session.env().new_id(), |before| Ok(before.id))?,
                name: name.to_owned(),
                cron: cron.to_owned(),
                kind: new.kind,
                payload: new.payload,
                next_at: next_time(cron, changes.at())?,
                version: before.map_or(1, |before| before.version + 1),
            };
            changes.put_schedule(self.session.env(), schedule.clone())?;
            self.session.commit(changes).await?;
            Ok(schedule)
        };
        self.session.run("jobs.schedule", self.session.retry_contended(false, attempt)).await
    }

    /// The tenant's schedules by name.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        self.session
            .run("jobs.schedules", async {
                let permit = self.session.authorize::<ReadJobs>()?;
                self.session.store().schedules(permit.scope()).await
            })
            .await
    }
}

/// What becomes of a dead job.
#[derive(Debug, Clone, Copy)]
enum End {
    Retry,
    Discard,
}

fn must_be_the_hosts(kind: &JobKind) -> Result<()> {
    if kind.is_own() {
        let message = format!("jobs of `{kind}` are the CRM's own; choose another beginning");
        return Err(Error::invalid_field("kind", "reserved_kind", message));
    }
    Ok(())
}
