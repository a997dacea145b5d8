//! Who is connected, on this node and the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use uuid::Uuid;

use crate::error::Result;
use crate::id::{TenantId, UserId};
use crate::time::Timestamp;

/// One connection of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connected {
    /// Who.
    pub user: UserId,
    /// Identifies the connection.
    pub connection: Uuid,
}

/// Somebody who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Present {
    /// Who.
    pub user_id: UserId,
    /// Over how many connections.
    pub connections: u32,
}

/// Knows who is connected. What it says may be late by the time that connections are kept for; nothing else
/// depends on it.
///
/// # Behavior
///
/// - Whoever is here is told by every node, until they are gone or their time is over.
///   (`who_is_here_is_told`, `who_is_not_heard_of_is_gone`)
/// - A tenant's people are told to that tenant only. (`presence_is_per_tenant`)
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// These are connected for as long as `lasts`, from `now` on. To be said again before that is over.
    ///
    /// # Errors
    ///
    /// `unavailable` when it cannot be kept.
    async fn here(
        &self,
        tenant: TenantId,
        connected: &[Connected],
        now: Timestamp,
        lasts: Duration,
    ) -> Result<()>;

    /// This connection has ended.
    ///
    /// # Errors
    ///
    /// `unavailable` when it cannot be kept.
    async fn gone(&self, tenant: TenantId, connected: Connected) -> Result<()>;

    /// Who is connected, by their ids.
    ///
    /// # Errors
    ///
    /// `unavailable` when it cannot be read.
    async fn present(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Present>>;
}

/// Those who are connected to this process.
#[derive(Debug, Default)]
pub struct LocalPresence(Mutex<HashMap<TenantId, BTreeMap<Connected, Timestamp>>>);

#[async_trait]
impl Presence for LocalPresence {
    async fn here(
        &self,
        tenant: TenantId,
        connected: &[Connected],
        now: Timestamp,
        lasts: Duration,
    ) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now.after(lasts);
        all.entry(tenant).or_default().extend(connected.iter().map(|one| (*one, until)));
        Ok(())
    }

    async fn gone(&self, tenant: TenantId, connected: Connected) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&tenant) {
            own.remove(&connected);
            if own.is_empty() {
                all.remove(&tenant);
            }
        }
        Ok(())
    }

    async fn present(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Present>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = all.get_mut(&tenant) else { return Ok(Vec::new()) };
        own.retain(|_, until| *until > now);
        Ok(counted(own.keys().map(|one| one.user)))
    }
}

/// Each user once, with the number of times they come.
pub fn counted(users: impl Iterator<Item = UserId>) -> Vec<Present> {
    let mut counts: BTreeMap<UserId, u32> = BTreeMap::new();
    users.for_each(|user| *counts.entry(user).or_default() += 1);
    let present = |(user_id, connections)| Present { user_id, connections };
    counts.into_iter().map(present).collect()
}
