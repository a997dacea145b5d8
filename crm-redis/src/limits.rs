//! Limits: for each key the moment at which its whole burst is there again.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use crm_core::ports::{Allowance, Limits, LocalLimits, Quota};
use crm_core::{ErrorKind, Result, Timestamp};
use redis::Script;
use sha2::{Digest as _, Sha256};

use crate::Redis;

/// Limits that all nodes that share the Redis and the prefix count for together, by the time that the calling
/// node says it is.
///
/// While Redis is away each node counts for itself, in this process, so that a limit is at worst multiplied
/// by the number of nodes.
#[derive(Debug, Clone)]
pub struct RedisLimits {
    redis: Redis,
    alone: Arc<LocalLimits>,
}

/// Whether one may be taken is decided where the time is kept, so that no two take the same one;
/// [`Quota::decide`] then says from the same time what it decides.
///
/// KEYS: the key. ARGV, in microseconds: now, the interval, that of the whole burst. The answer is when the
/// burst was there again before. A number of Lua is exact up to 2^53, as microseconds until the year 2255.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local now, interval, whole = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
        local used = full_at + interval - now
        if used <= whole then
            redis.call('SET', KEYS[1], string.format('%.0f', now + used), 'PX',
                string.format('%.0f', math.ceil(used / 1000) + 60000))
        end
        return string.format('%.0f', full_at)",
    )
});

/// KEYS and ARGV as above, without the burst.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local now, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
        local full_at = redis.call('GET', KEYS[1])
        if full_at then
            full_at = math.max(tonumber(full_at) - interval, now)
            redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'KEEPTTL')
        end",
    )
});

/// Some 140 years: sums of it and a moment are exact in Lua.
const MOST_MICROS: u64 = 1 << 52;

impl RedisLimits {
    pub(crate) fn new(redis: &Redis) -> Self {
        RedisLimits { redis: redis.clone(), alone: Arc::default() }
    }

    /// Keys hold addresses and names of people, of any length; their digests do not.
    fn key(&self, key: &str) -> String {
        let hash = Sha256::digest(key.as_bytes());
        let hash = hash.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte));
        self.redis.common(format_args!("limit:{hash:032x}"))
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(MOST_MICROS)
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Allowance> {
        let mut take = TAKE.key(self.key(key));
        let whole = quota.interval.saturating_mul(quota.burst);
        take.arg(now.as_micros()).arg(micros(quota.interval)).arg(micros(whole));
        match self.redis.link().run::<i64>(&take).await {
            Ok(full_at) => Ok(quota.decide(Timestamp::from_micros(full_at), now).0),
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                self.alone.take(key, quota, now).await
            }
            Err(error) => Err(error),
        }
    }

    async fn give_back(&self, key: &str, quota: Quota, now: Timestamp) -> Result<()> {
        let mut give_back = GIVE_BACK.key(self.key(key));
        give_back.arg(now.as_micros()).arg(micros(quota.interval));
        match self.redis.link().run::<()>(&give_back).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                self.alone.give_back(key, quota, now).await
            }
            done => done,
        }
    }
}
