//! The cache: a key holds a value, or the ticket of who is reading it.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crm_core::cache::{Cache, Cached};
use crm_core::{Result, TenantId};
use redis::Script;

use crate::Redis;

/// How long a ticket is good.
const TICKET: Duration = Duration::from_secs(10);

/// In front of a value, and of a ticket's 8 bytes.
const VALUE: u8 = b'v';
const WAITS: u8 = b't';

/// What all nodes that share the Redis and the prefix have read.
///
/// Readers that miss a key at the same time get the same ticket, and the first of them puts. `forget` takes
/// the ticket away with the value. Where it answers `unavailable`, other nodes may go on to read what was
/// put before, for as long as that was to last; the same holds when Redis fails over to a replica that is
/// behind.
#[derive(Debug, Clone)]
pub struct RedisCache {
    redis: Redis,
}

/// KEYS: the key. ARGV: the ticket as it stands there, the value, the milliseconds.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then
            redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        end",
    )
});

impl RedisCache {
    /// The largest value that is kept: 1 MiB. A larger one is not put, which is no error.
    pub const MOST_BYTES: usize = 1024 * 1024;

    pub(crate) fn new(redis: &Redis) -> Self {
        RedisCache { redis: redis.clone() }
    }

    fn key(&self, tenant: TenantId, key: &str) -> String {
        self.redis.of_tenant(tenant, format_args!("cache:{key}"))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, tenant: TenantId, key: &str) -> Result<Cached> {
        let new = u64::from_be_bytes(crate::random()?);
        let mut get = redis::cmd("SET");
        get.arg(self.key(tenant, key)).arg(marked(WAITS, &new.to_be_bytes()));
        get.arg("NX").arg("GET").arg("PX").arg(millis(TICKET));
        let held: Option<Vec<u8>> = self.redis.link().ask(&get).await?;
        let held = Bytes::from(held.unwrap_or_default());
        Ok(match held.split_first() {
            Some((&VALUE, _)) => Cached::Hit(held.slice(1..)),
            // One that cannot be read is nobody's, and goes with its time.
            Some((_, ticket)) => Cached::Miss(ticket.try_into().map_or(new, u64::from_be_bytes)),
            // The new one stands there now.
            None => Cached::Miss(new),
        })
    }

    async fn put(
        &self,
        tenant: TenantId,
        key: &str,
        ticket: u64,
        value: Bytes,
        lasts: Duration,
    ) -> Result<()> {
        if value.len() > RedisCache::MOST_BYTES || lasts.is_zero() {
            return Ok(());
        }
        let mut put = PUT.key(self.key(tenant, key));
        put.arg(marked(WAITS, &ticket.to_be_bytes())).arg(marked(VALUE, &value));
        put.arg(millis(lasts));
        self.redis.link().run(&put).await
    }

    async fn forget(&self, tenant: TenantId, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut forget = redis::cmd("DEL");
        for key in keys {
            forget.arg(self.key(tenant, key));
        }
        self.redis.link().ask(&forget).await
    }
}

fn marked(mark: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + rest.len());
    bytes.push(mark);
    bytes.extend_from_slice(rest);
    bytes
}

/// 1 ms to 100 years.
fn millis(duration: Duration) -> u64 {
    let century = 100 * 365 * 24 * 3600 * 1000;
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, century)
}
