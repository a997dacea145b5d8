//! What the core needs from outside: storage, time and randomness.
//!
//! A host can replace any of them. Each trait is object safe and without default methods, so that a
//! wrapper which forgets a method does not compile.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::activities::store::ActivityStore;
pub use crate::audit::store::AuditStore;
pub use crate::blobs::{BlobKey, Blobs, ByteStream, MemoryBlobs};
pub use crate::cache::{Cache, Cached};
pub use crate::calls::store::CallStore;
pub use crate::companies::store::CompanyStore;
pub use crate::contacts::search::SearchStore;
pub use crate::contacts::store::ContactStore;
pub use crate::events::bus::{EventBus, LocalBus, News};
pub use crate::events::store::EventStore;
pub use crate::idempotency::IdempotencyStore;
pub use crate::identity::store::IdentityStore;
pub use crate::jobs::store::JobStore;
pub use crate::limits::LocalLimits;
pub use crate::notifications::NotificationChannel;
pub use crate::notifications::store::NotificationStore;
pub use crate::presence::{Connected, LocalPresence, Presence, Present};
pub use crate::privacy::store::PrivacyStore;
pub use crate::telephony::{Telephony, TelephonyStore};
pub use crate::tenancy::store::TenancyStore;
pub use crate::workers::WorkerThreads;

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Everything that is kept. Each entity asks for its reads in a trait of its own; there is one way
/// to write.
///
/// # Behavior
///
/// What an adapter must keep is stated on each method, with the conformance case that proves it in
/// brackets; `crm-conformance` runs them all. Of search as a whole:
///
/// - Nothing of another tenant is found. (`search_is_per_tenant`)
/// - What a commit wrote is found by the next search, and what it took away is not.
///   (`search_follows_every_change`)
/// - Words compare by their bytes, and come each once. (`words_are_found_by_bytes`)
/// - Candidates come in the order of the tiers, of the terms in the group that drives, and of the
///   ids. (`candidates_come_in_tiers`)
/// - Terms come back as they were given. (`search_terms_are_kept_as_given`)
#[async_trait]
pub trait Store:
    TenancyStore
    + IdentityStore
    + CompanyStore
    + ContactStore
    + SearchStore
    + ActivityStore
    + EventStore
    + AuditStore
    + IdempotencyStore
    + PrivacyStore
    + TelephonyStore
    + CallStore
    + JobStore
    + NotificationStore
{
    /// Applies `changes` whole or not at all, and returns when they are durable.
    ///
    /// # Behavior
    ///
    /// - A refused change leaves nothing behind: no row, no timeline entry, no audit entry, no
    ///   event, nor of the changes before and after it, however many.
    ///   (`changes_apply_whole_or_not_at_all`, `a_large_unit_is_whole`)
    /// - A change sees what the changes before it in its unit have written.
    ///   (`later_changes_see_earlier_ones`)
    /// - Of several changes from one version one is applied; the others get `version_conflict`, which
    ///   the core repeats from the new version. (`a_stale_change_is_refused`,
    ///   `contended_updates_all_land`, `a_stale_credential_is_refused`, `refreshes_of_one_token_agree`)
    /// - A record refers only to records of its tenant. (`references_stay_in_the_tenant`)
    /// - Every change leaves its audit entry and its event. (`every_write_is_audited`,
    ///   `every_write_has_an_event`)
    /// - Dropping the future gives up the answer, not the write.
    ///   (`a_dropped_commit_is_whole_or_absent`)
    ///
    /// # Errors
    ///
    /// `already_exists` when a unique value is taken, with the holder's id; `version_conflict` when
    /// the record has changed since it was read; `not_found` when it is gone or a record that it
    /// refers to is; `unavailable` when the storage cannot be written now (full, locked,
    /// unreachable); `internal` otherwise.
    async fn commit(&self, changes: Changes) -> Result<()>;
}

/// One thing that an adapter has looked at, to tell whether it can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, as a stable word.
    pub check: &'static str,
    /// What was found, for people.
    pub found: String,
    /// Whether it is as it should be.
    pub good: bool,
}

/// How often something may be done: `burst` at once, and one more every `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How often at once.
    pub burst: u32,
    /// How long until one more is allowed.
    pub interval: Duration,
}

/// Whether something may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Whether it may; if so, it has been counted.
    pub allowed: bool,
    /// How often it may be done again at once.
    pub remaining: u32,
    /// After how long the whole burst may be done.
    pub full_after: Duration,
    /// How long to wait, where it may not.
    pub retry_after: Duration,
}

/// Counts how often things are done, in this process or for many.
///
/// # Behavior
///
/// - What is allowed, and what remains, is what [`Quota::decide`] says. (`limits_count_by_the_rule`,
///   `who_takes_at_once_takes_no_more`)
/// - Each key has its own count. (`keys_are_counted_apart`)
/// - What is given back can be taken again, and no more. (`what_is_given_back_is_taken_again`)
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Takes one of what `quota` allows for `key`. [`Quota::decide`] is the rule.
    ///
    /// # Errors
    ///
    /// `unavailable` when the count cannot be reached.
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Allowance>;

    /// Gives back one that was taken, as if it had not been.
    ///
    /// # Errors
    ///
    /// `unavailable` when the count cannot be reached.
    async fn give_back(&self, key: &str, quota: Quota, now: Timestamp) -> Result<()>;
}

/// Something to be computed.
pub type Computation = Box<dyn FnOnce() + Send + 'static>;

/// Who computes what takes milliseconds, such as the hash of a password, so that the threads that serve
/// requests do not.
pub trait Workers: Send + Sync + 'static {
    /// Takes a computation on, to be run soon.
    ///
    /// # Errors
    ///
    /// `rate_limited` when too many wait already.
    fn submit(&self, computation: Computation) -> Result<()>;
}

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where randomness comes from.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes` with values that nobody can foresee.
    ///
    /// # Errors
    ///
    /// `unavailable` when the source gives none.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since_1970 =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_micros())
            .ok()
            .and_then(Timestamp::from_micros)
            .unwrap_or(Timestamp::MAX)
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            Error::unavailable("the operating system gives no randomness", error.to_string())
        })
    }
}
