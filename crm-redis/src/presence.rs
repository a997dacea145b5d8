//! Who is connected: a sorted set for each tenant, of connections by the moment at which they are over.

use std::time::Duration;

use async_trait::async_trait;
use crm_core::presence::{Connected, Presence, Present, counted};
use crm_core::{Result, TenantId, Timestamp, UserId};
use uuid::Uuid;

use crate::Redis;

/// Connections that one command names, so that no command takes long.
const AT_ONCE: usize = 1000;

/// Who is connected, on all nodes that share the Redis and the prefix.
///
/// A connection that nobody speaks of any more takes room until another of its tenant is spoken of, or for
/// twice the time that it was to last.
#[derive(Debug, Clone)]
pub struct RedisPresence {
    redis: Redis,
}

impl RedisPresence {
    pub(crate) fn new(redis: &Redis) -> Self {
        RedisPresence { redis: redis.clone() }
    }

    fn key(&self, tenant: TenantId) -> String {
        self.redis.of_tenant(tenant, format_args!("here"))
    }
}

#[async_trait]
impl Presence for RedisPresence {
    async fn here(
        &self,
        tenant: TenantId,
        connected: &[Connected],
        now: Timestamp,
        lasts: Duration,
    ) -> Result<()> {
        let key = self.key(tenant);
        let until = now.after(lasts).as_micros();
        // Another node's clock may be behind.
        let long_over = now.as_micros().saturating_sub(micros(lasts));
        let kept = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
        let kept = kept.clamp(1000, MOST_KEPT);
        for some in connected.chunks(AT_ONCE) {
            let mut commands = redis::pipe();
            let add = commands.cmd("ZADD").arg(&key);
            for one in some {
                add.arg(until).arg(member(*one));
            }
            add.ignore();
            commands.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(long_over).ignore();
            // The later of both: a key without an end counts as one that never ends.
            for when in ["NX", "GT"] {
                commands.cmd("PEXPIRE").arg(&key).arg(kept).arg(when).ignore();
            }
            self.redis.link().ask_all::<()>(&commands).await?;
        }
        Ok(())
    }

    async fn gone(&self, tenant: TenantId, connected: Connected) -> Result<()> {
        let mut remove = redis::cmd("ZREM");
        remove.arg(self.key(tenant)).arg(member(connected));
        self.redis.link().ask(&remove).await
    }

    async fn present(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Present>> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.key(tenant)).arg(format!("({}", now.as_micros())).arg("+inf").arg("BYSCORE");
        let members: Vec<Vec<u8>> = self.redis.link().ask(&range).await?;
        Ok(counted(members.iter().filter_map(|member| user(member))))
    }
}

/// A month, in milliseconds.
const MOST_KEPT: u64 = 30 * 24 * 3600 * 1000;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The user's 16 bytes, then the connection's.
fn member(connected: Connected) -> Vec<u8> {
    let (user, connection) = (connected.user.as_uuid(), connected.connection);
    [user.as_bytes().as_slice(), connection.as_bytes()].concat()
}

fn user(member: &[u8]) -> Option<UserId> {
    let (user, connection) = member.split_at_checked(16)?;
    let user = Uuid::from_slice(user).ok()?;
    (connection.len() == 16).then(|| UserId::from_uuid(user))
}
