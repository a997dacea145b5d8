//! A job, its lease, and schedules of jobs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::CronParser;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::email::shorten;
use crate::error::{Error, FieldError, Result};
use crate::id::{JobId, ScheduleId, TenantId};
use crate::phone::Region;
use crate::scope::RequestId;
use crate::time::Timestamp;

/// Bytes that a job's payload may have as JSON.
pub const MAX_PAYLOAD: usize = 16 * 1024;
/// Characters that a unique key may have.
pub const MAX_UNIQUE_KEY: usize = 200;
/// Characters that are kept of what a job failed with.
pub const MAX_FAILURE: usize = 500;

/// What a job is for: 1 to 64 of `a-z0-9_.`, e.g. `letters.send`. Kinds that
/// begin with `crm.` are the CRM's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobKind(String);

impl JobKind {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A kind of the CRM's own.
    pub(crate) fn own(text: &'static str) -> Self {
        JobKind(text.to_owned())
    }

    pub(crate) fn is_own(&self) -> bool {
        self.0.starts_with("crm.")
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.'
        };
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(JobKind(text.to_owned()));
        }
        Err(Error::invalid_field(
            "kind",
            "invalid_kind",
            format!("`{}` is no kind of job; one has 1 to 64 of `a-z0-9_.`", shorten(text)),
        ))
    }
}

impl<'de> Deserialize<'de> for JobKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a job is on its way. One that is done is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its time has not come.
    Scheduled,
    /// It can be taken.
    Ready,
    /// A worker has it.
    Running,
    /// It was given up; it can be retried.
    Dead,
}

impl JobState {
    /// Every state.
    pub const ALL: &'static [JobState] =
        &[JobState::Scheduled, JobState::Ready, JobState::Running, JobState::Dead];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Scheduled => "scheduled",
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Dead => "dead",
        }
    }
}

impl FromStr for JobState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        JobState::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| {
            let message = format!(
                "`{}` is no state of a job; choose scheduled, ready, running or dead",
                shorten(text)
            );
            Error::invalid_field("state", "invalid_state", message)
        })
    }
}

/// Work that is to be done after a commit, and was written in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Job {
    /// Identifies the job within its tenant.
    pub id: JobId,
    /// What it is for.
    pub kind: JobKind,
    /// What it is about, in the shape of its kind.
    pub payload: Value,
    /// Where it is on its way.
    pub state: JobState,
    /// Among the jobs of one kind and tenant, those with a lesser number go first.
    pub priority: i16,
    /// Not before.
    pub run_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// After how many tries it is given up.
    pub max_attempts: u32,
    /// While a job of this kind with this key waits, another one is not enqueued.
    pub unique_key: Option<String>,
    /// What it failed with last.
    pub failure: Option<String>,
    /// The request that it goes back to.
    pub request_id: RequestId,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

impl Job {
    /// A job as a store keeps it.
    #[allow(clippy::too_many_arguments, reason = "one argument a column, in their order")]
    pub fn from_stored(
        id: JobId,
        kind: JobKind,
        payload: Value,
        state: JobState,
        priority: i16,
        run_at: Timestamp,
        attempts: u32,
        max_attempts: u32,
        unique_key: Option<String>,
        failure: Option<String>,
        request_id: RequestId,
        created_at: Timestamp,
    ) -> Self {
        Job {
            id,
            kind,
            payload,
            state,
            priority,
            run_at,
            attempts,
            max_attempts,
            unique_key,
            failure,
            request_id,
            created_at,
        }
    }
}

/// A job to be enqueued.
///
/// ```
/// use crm_core::jobs::NewJob;
/// let job = NewJob::new("letters.send", &serde_json::json!({ "to": 7 }))?.unique("letter 7").urgent();
/// # Ok::<(), crm_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub(crate) kind: JobKind,
    pub(crate) payload: Value,
    pub(crate) priority: i16,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) max_attempts: u32,
    pub(crate) unique_key: Option<String>,
}

impl NewJob {
    /// Priority of what people wait for.
    pub const URGENT: i16 = -100;
    /// How often a job is tried where nothing is said: with the pauses between, for three to four hours.
    pub const ATTEMPTS: u32 = 16;

    /// A job of this kind, to be run as soon as it can be.
    ///
    /// # Errors
    ///
    /// `invalid` for a kind that is none, or a payload that is no JSON.
    pub fn new(kind: &str, payload: &impl Serialize) -> Result<Self> {
        let payload = serde_json::to_value(payload).map_err(|error| {
            Error::invalid_field("payload", "invalid_payload", error.to_string())
        })?;
        Ok(NewJob {
            kind: kind.parse()?,
            payload,
            priority: 0,
            run_at: None,
            max_attempts: NewJob::ATTEMPTS,
            unique_key: None,
        })
    }

    /// Not before `at`.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        NewJob { run_at: Some(at), ..self }
    }

    /// Before the other jobs of its kind and tenant.
    #[must_use]
    pub fn urgent(self) -> Self {
        NewJob { priority: NewJob::URGENT, ..self }
    }

    /// With this priority: those with a lesser number go first.
    #[must_use]
    pub fn priority(self, priority: i16) -> Self {
        NewJob { priority, ..self }
    }

    /// Given up after so many tries, at least one.
    #[must_use]
    pub fn attempts(self, most: u32) -> Self {
        NewJob { max_attempts: most.max(1), ..self }
    }

    /// Not enqueued while a job of its kind with this key, at most [`MAX_UNIQUE_KEY`] characters, waits.
    #[must_use]
    pub fn unique(self, key: impl Into<String>) -> Self {
        NewJob { unique_key: Some(key.into()), ..self }
    }

    pub(crate) fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut refused = Vec::new();
        if self.payload.to_string().len() > MAX_PAYLOAD {
            let message = format!("a payload has at most {MAX_PAYLOAD} bytes as JSON");
            refused.push(FieldError::new("payload", "too_long", message));
        }
        let key = self.unique_key.as_deref().unwrap_or(" ");
        if key.is_empty() || key.chars().nth(MAX_UNIQUE_KEY).is_some() || key.contains('\0') {
            let message = format!("a unique key has 1 to {MAX_UNIQUE_KEY} characters");
            refused.push(FieldError::new("unique_key", "invalid_key", message));
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    pub(crate) fn into_job(self, id: JobId, now: Timestamp, request_id: RequestId) -> Job {
        let run_at = self.run_at.unwrap_or(now).max(now);
        Job {
            id,
            kind: self.kind,
            payload: self.payload,
            state: if run_at > now { JobState::Scheduled } else { JobState::Ready },
            priority: self.priority,
            run_at,
            attempts: 0,
            max_attempts: self.max_attempts,
            unique_key: self.unique_key,
            failure: None,
            request_id,
            created_at: now,
        }
    }
}

/// The right to work on a job until it ends. Whoever claims the job later has a greater token, and from
/// then on this lease is good for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub tenant: TenantId,
    /// The job.
    pub job: JobId,
    /// Counts the claims of the job, from 1.
    pub token: i64,
}

/// What a unit of work does with the lease that it was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseUse {
    /// The lease, which must be good.
    pub lease: Lease,
    /// Whether the job is done with it.
    pub completes: bool,
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The right to work on it.
    pub lease: Lease,
    /// The region of the tenant's phone numbers.
    pub region: Region,
    /// The job; this try is counted.
    pub job: Job,
}

/// Which jobs a worker wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of these kinds.
    pub kinds: Vec<JobKind>,
    /// At most so many.
    pub limit: usize,
    /// Tenants after this one come first, so that all get their turn.
    pub after: Option<TenantId>,
    /// The present moment.
    pub now: Timestamp,
    /// Until when the leases hold.
    pub until: Timestamp,
}

/// What became of a job that left nothing else behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The lease that it was run under.
    pub lease: Lease,
    /// What becomes of it.
    pub end: JobEnd,
}

/// What becomes of a job after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done.
    Done,
    /// It waits until then, and the try does not count.
    Snooze(Timestamp),
    /// It failed with this, and is tried again then.
    Retry(Timestamp, String),
    /// It failed with this, and is given up.
    Dead(String),
}

/// Jobs that are enqueued again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Schedule {
    /// Identifies the schedule within its tenant.
    pub id: ScheduleId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// When, as a cron expression of five fields, or six with seconds first.
    pub cron: String,
    /// What kind of job.
    pub kind: JobKind,
    /// What the job is about.
    pub payload: Value,
    /// When a job is enqueued next; `None` where the expression has no further time.
    pub next_at: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// The next time of a cron expression after `after`, in UTC. Times that were missed are not made up for.
pub(crate) fn next_time(cron: &str, after: Timestamp) -> Result<Option<Timestamp>> {
    let cron = parsed_cron(cron)?;
    let after: DateTime<Utc> = DateTime::from_timestamp_micros(after.as_micros())
        .ok_or_else(|| Error::internal("a time that no calendar has"))?;
    let next = cron.find_next_occurrence(&after, false).ok();
    Ok(next.and_then(|next| Timestamp::from_micros(next.timestamp_micros())))
}

fn parsed_cron(text: &str) -> Result<Cron> {
    let parser = CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    parser.parse(text).map_err(|error| {
        Error::invalid_field(
            "cron",
            "invalid_cron",
            format!(
                "`{}` is no cron expression ({error}); one looks like `30 2 * * *`",
                shorten(text)
            ),
        )
    })
}

/// How long a job waits after its `attempts`-th try: 1 s, 2 s, 4 s and so on to an hour, of which `jitter`
/// (0..=255) takes up to a quarter, so that what failed together does not come together again.
pub(crate) fn pause_after(attempts: u32, jitter: u8) -> Duration {
    let whole = Duration::from_secs(1)
        .saturating_mul(1u32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(u32::MAX))
        .min(Duration::from_secs(60 * 60));
    whole - whole / 4 * u32::from(jitter) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_differ() {
        assert_eq!(pause_after(1, 0), Duration::from_secs(1));
        assert_eq!(pause_after(3, 0), Duration::from_secs(4));
        assert_eq!(pause_after(3, 255), Duration::from_secs(3));
        assert_eq!(pause_after(1000, 0), Duration::from_secs(3600));
    }

    #[test]
    fn a_cron_expression_names_the_next_time() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let next = next_time("30 2 * * *", at("2026-03-01T02:30:00Z")).unwrap();
        assert_eq!(next, Some(at("2026-03-02T02:30:00Z")));
        assert_eq!(next_time("0 0 30 2 *", at("2026-03-01T00:00:00Z")).unwrap(), None);
        let refused = next_time("every day", at("2026-03-01T00:00:00Z")).unwrap_err();
        assert_eq!(refused.fields()[0].field, "cron");
    }
}
