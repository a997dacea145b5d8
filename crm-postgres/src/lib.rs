//! The server store of crm-core: PostgreSQL 15 and later, with isolation that the database enforces.
//!
//! Every table of a tenant has row security that the table's owner cannot pass either, and the application logs
//! in as `crm_app`, which owns nothing: a query that forgets its tenant finds nothing. What is hot (a
//! record, a page, a timeline, a commit) is one SQL function, which sets the tenant and then asks, so it
//! costs one round trip. An [`Installation`] makes the schema; a store never does.

// Here, because this crate's tests know all that the examples use.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod activities;
mod audit;
mod bus;
mod calls;
mod commit;
mod companies;
mod contacts;
mod doctor;
mod error;
mod events;
mod idempotency;
mod identity;
pub mod isolation;
mod jobs;
mod migrate;
mod more;
mod notifications;
mod password;
mod pool;
mod privacy;
mod rows;
mod schema;
mod search;
mod statement;
mod telephony;
mod tenancy;
mod unit;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crm_core::{Error, ErrorKind, Result};
use sqlx::PgPool;
use tokio::runtime::Handle;

pub use bus::PostgresBus;
pub use doctor::doctor;
pub use migrate::Installation;
pub use schema::SchemaName;
pub use statement::Protocol;

use pool::{Bounds, Connections};

/// A store in a PostgreSQL database. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # async fn open() -> crm_core::Result<()> {
/// let store = crm_postgres::PostgresStore::connect("postgres://crm_app:secret@db/crm").await?;
/// let crm = crm_core::Crm::builder(store).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    connections: Connections,
    /// Serves reads that may lag.
    replica: Option<Connections>,
    schema: SchemaName,
    protocol: Protocol,
    patience: Duration,
    runtime: Handle,
}

/// How a store uses its database.
#[derive(Debug, Clone)]
pub struct Options {
    schema: SchemaName,
    replica: Option<String>,
    protocol: Protocol,
    patience: Duration,
    bounds: Bounds,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            schema: SchemaName::default(),
            replica: None,
            protocol: Protocol::Prepared,
            patience: Duration::from_secs(35),
            bounds: Bounds {
                connections: 16,
                wait: Duration::from_secs(5),
                connect: Duration::from_secs(1),
                idle: Duration::from_secs(300),
            },
        }
    }
}

impl Options {
    /// The schema of the [`Installation`]; `crm` by default.
    #[must_use]
    pub fn schema(mut self, schema: SchemaName) -> Self {
        self.schema = schema;
        self
    }

    /// The URL of a replica, which serves the reads of sessions that may lag
    /// ([`Session::lagging`](crm_core::Session::lagging)); while it cannot be reached, the primary does.
    #[must_use]
    pub fn replica(mut self, url: impl Into<String>) -> Self {
        self.replica = Some(url.into());
        self
    }

    /// How statements are sent; prepared by default.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Connections at most, 1..=1,000; 16 by default. Callers beyond wait.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.bounds.connections = connections.clamp(1, 1_000);
        self
    }

    /// How long a caller waits for a connection before `unavailable`; 5 s by default.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.bounds.wait = timeout;
        self
    }

    /// How long making a connection may take before `unavailable`; 1 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.bounds.connect = timeout;
        self
    }

    /// After how long a silent connection is replaced by a new one; 5 minutes by default, less than
    /// what firewalls forget.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.bounds.idle = timeout;
        self
    }

    /// How long a server that says nothing is waited for, before `unavailable`; 35 s by default, more
    /// than the `statement_timeout` of `crm_app`, which ends a slow statement with a better answer.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }
}

impl PostgresStore {
    /// Connects with the default options. `url` is as PostgreSQL's own programs take it, e.g.
    /// `postgres://crm_app:secret@db.example/crm?sslmode=verify-full`.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresStore::connect_with`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, Options::default()).await
    }

    /// Connects, and makes sure that the schema is there and that isolation is real.
    ///
    /// # Errors
    ///
    /// `invalid` when `url` is none, when the schema is not the one that this program was made for, and when
    /// row security would not keep tenants apart for this role, with an entry for each rule that is broken and
    /// how to mend it ([`isolation`]); `unavailable` when the server cannot be reached or does not let
    /// the role in.
    pub async fn connect_with(url: &str, options: Options) -> Result<Self> {
        let connections = Connections::own(migrate::options(url)?, &options.bounds)?;
        Self::open(connections, options).await
    }

    /// Works on connections of the host's pool.
    ///
    /// A commit then takes three round trips, for the host may have left a transaction open on a connection,
    /// and sqlx adds one of its own whenever a connection comes back.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresStore::connect_with`].
    pub async fn from_pool(pool: PgPool, options: Options) -> Result<Self> {
        Self::open(Connections::Host(pool), options).await
    }

    async fn open(connections: Connections, options: Options) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|error| {
            Error::internal(format!("the store is opened outside of a tokio runtime: {error}"))
        })?;
        let Options { schema, replica, protocol, patience, bounds } = options;
        let replica =
            replica.map(|url| Connections::own(migrate::options(&url)?, &bounds)).transpose()?;
        let store = PostgresStore {
            inner: Arc::new(Inner { connections, replica, schema, protocol, patience, runtime }),
        };
        let opened = store.clone();
        store.run(async move { opened.inner.check().await }).await?;
        Ok(store)
    }
}

impl Inner {
    /// Refuses a database of another version, and one that would not keep tenants apart.
    async fn check(&self) -> Result<()> {
        self.check_over(&self.connections).await?;
        if let Some(replica) = &self.replica {
            match self.check_over(replica).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(%error, "the replica is not there; the primary serves its reads");
                }
                checked => checked?,
            }
        }
        Ok(())
    }

    async fn check_over(&self, connections: &Connections) -> Result<()> {
        let mut lease = connections.lease().await?;
        let connection = lease.connection()?;
        schema::check_version(connection, &self.schema).await?;
        isolation::check(connection, &self.schema).await?;
        lease.keep();
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.inner.schema).finish_non_exhaustive()
    }
}
