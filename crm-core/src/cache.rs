//! The port through which records are remembered nearer than the store is.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::id::TenantId;

/// What a cache says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// It is known.
    Hit(Bytes),
    /// It is not. Who reads it from the store may put it under this ticket, which ends when the key is
    /// forgotten: what was read before a change is not kept after it.
    Miss(u64),
}

/// Remembers what was read, until it changes.
///
/// # Behavior
///
/// - What was put is known until it is forgotten or its time is over. (`what_was_put_is_known`)
/// - Once `forget` has answered, what was put before is not known, and what was read before it is not put.
///   (`what_is_forgotten_is_not_known`, `what_was_read_before_is_not_put`)
/// - Keys are the tenant's. (`caches_are_per_tenant`)
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// What is known under `key`.
    ///
    /// # Errors
    ///
    /// `unavailable` when the cache does not answer; the store is asked instead.
    async fn get(&self, tenant: TenantId, key: &str) -> Result<Cached>;

    /// Remembers what was read after the miss that gave `ticket`, for at most `lasts`.
    ///
    /// # Errors
    ///
    /// `unavailable` when the cache does not answer.
    async fn put(
        &self,
        tenant: TenantId,
        key: &str,
        ticket: u64,
        value: Bytes,
        lasts: Duration,
    ) -> Result<()>;

    /// Forgets what has changed. Called after the commit and before its caller is answered.
    ///
    /// # Errors
    ///
    /// `unavailable` when the cache does not answer.
    async fn forget(&self, tenant: TenantId, keys: &[String]) -> Result<()>;
}
