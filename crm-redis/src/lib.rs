//! What the nodes of a CRM share through Redis (7 or newer) or Valkey: the [`EventBus`], [`Presence`],
//! [`Limits`] and a [`Cache`] of [`crm_core`].
//!
//! ```no_run
//! # async fn example() -> crm_core::Result<()> {
//! use crm_redis::Redis;
//!
//! let redis = Redis::connect("rediss://crm:secret@redis.example:6379").await?;
//! let (bus, presence, limits) = (redis.bus(), redis.presence(), redis.limits());
//! # drop((bus, presence, limits));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing that is kept here is the only copy of anything: losing Redis costs time, never an event. While it
//! is away, calls fail at once instead of waiting for it, and it is asked again several times a second.
//!
//! # Keys, channels and rights
//!
//! All begin with the prefix, `crm` where none is given. What stands in braces decides the node of a Redis
//! Cluster: everything of a tenant is on one.
//!
//! | | |
//! |---|---|
//! | `crm:{<tenant>}:here` | who is connected |
//! | `crm:{<tenant>}:cache:<key>` | what was read |
//! | `crm:{limit:<hash>}` | when a limit's whole burst is there again |
//! | `crm:{news}` | the channel on which nodes tell each other to look |
//!
//! A user of its own needs no more than this, in one line:
//!
//! ```text
//! ACL SETUSER crm on >SECRET ~crm:* &crm:*
//!     -@all +@connection -@dangerous +publish +subscribe +eval +evalsha +script|load
//!     +get +set +del +pexpire +zadd +zrem +zrange +zremrangebyscore
//! ```
//!
//! [`EventBus`]: crm_core::ports::EventBus
//! [`Presence`]: crm_core::presence::Presence
//! [`Limits`]: crm_core::ports::Limits
//! [`Cache`]: crm_core::cache::Cache

mod bus;
mod cache;
mod limits;
mod link;
mod presence;

use std::fmt;
use std::sync::Arc;

use crm_core::ports::{Randomness as _, SystemRandomness};
use crm_core::{Error, Result, TenantId};
use tokio::runtime::Handle;

pub use bus::RedisBus;
pub use cache::RedisCache;
pub use limits::RedisLimits;
pub use presence::RedisPresence;

use crate::link::{Door, Link};

/// A Redis or Valkey that nodes share. Clones share one connection, which is made again when it is lost.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    door: Door,
    link: Link,
    prefix: Box<str>,
    runtime: Handle,
}

/// How to use a Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// With what all keys and channels begin: 1 to 64 letters, digits, `-`, `_`, `.` and `:`. Nodes that share
    /// one share everything.
    pub prefix: String,
    /// The certificates in PEM, one after the other, of those who vouch for the server, instead of those whom
    /// the machine trusts.
    pub root_certificates: Option<Vec<u8>>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        RedisOptions { prefix: "crm".to_owned(), root_certificates: None }
    }
}

impl Redis {
    /// The Redis at `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, with TLS at `rediss://`; see
    /// [`connect_with`](Redis::connect_with).
    ///
    /// # Errors
    ///
    /// `invalid` when the URL is none of these; `internal` outside a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self> {
        Redis::connect_with(url, RedisOptions::default()).await
    }

    /// The same, with options. Waits for the connection for 2 s at most; a Redis that is away is no error, and
    /// is used once it is there: [`check`](Redis::check) tells.
    ///
    /// The first connection with TLS makes aws-lc the process's provider of cryptography for `rustls` where
    /// none has been chosen.
    ///
    /// # Errors
    ///
    /// `invalid` when the URL or an option is wrong; `internal` outside a tokio runtime.
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self> {
        let runtime = Handle::try_current().map_err(Error::internal)?;
        let door = Door::new(url, options.root_certificates)?;
        let prefix = prefix(options.prefix)?;
        let link = Link::commands(&runtime, door.clone());
        link.first_attempt().await;
        Ok(Redis { shared: Arc::new(Shared { door, link, prefix, runtime }) })
    }

    /// A node on the bus. Each call makes one, with a connection of its own.
    pub fn bus(&self) -> RedisBus {
        RedisBus::new(self)
    }

    /// Who is connected, on all nodes.
    pub fn presence(&self) -> RedisPresence {
        RedisPresence::new(self)
    }

    /// Limits that all nodes count for together.
    pub fn limits(&self) -> RedisLimits {
        RedisLimits::new(self)
    }

    /// A cache that all nodes share.
    pub fn cache(&self) -> RedisCache {
        RedisCache::new(self)
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    ///
    /// `unavailable`, with why as its source.
    pub async fn check(&self) -> Result<()> {
        self.shared.door.check().await
    }

    fn link(&self) -> &Link {
        &self.shared.link
    }

    /// The name of what belongs to all tenants.
    fn common(&self, what: fmt::Arguments<'_>) -> String {
        format!("{}:{{{what}}}", self.shared.prefix)
    }

    /// The name of what belongs to a tenant.
    fn of_tenant(&self, tenant: TenantId, what: fmt::Arguments<'_>) -> String {
        format!("{}:{{{}}}:{what}", self.shared.prefix, tenant.as_uuid())
    }
}

/// A brace would move the keys of all tenants to one node of a cluster.
fn prefix(prefix: String) -> Result<Box<str>> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(allowed) {
        let message = "the prefix must be 1 to 64 letters, digits, `-`, `_`, `.` or `:`";
        return Err(Error::invalid_field("prefix", "invalid_prefix", message));
    }
    Ok(prefix.into())
}

fn random<const LEN: usize>() -> Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    SystemRandomness.fill(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}
