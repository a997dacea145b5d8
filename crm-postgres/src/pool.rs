//! Connections: of our own, or borrowed from the host's pool.

use std::time::{Duration, Instant};

use crm_core::{Error, Result};
use deadpool::managed::{self, Object, Pool, PoolError, RecycleError, TimeoutType};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool, Postgres};

use crate::error::{failed, unreachable};

/// Where connections come from.
///
/// Our own pool is not sqlx's: that one exchanges a message with the server whenever a connection
/// comes back, which doubles the round trips of a read in one statement.
#[derive(Clone)]
pub(crate) enum Connections {
    Own(Pool<Connector>),
    Host(PgPool),
}

/// How a pool of our own behaves.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    pub(crate) wait: Duration,
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
}

impl Connections {
    pub(crate) fn own(options: PgConnectOptions, bounds: &Bounds) -> Result<Self> {
        let options = options.application_name("crm-core").disable_statement_logging();
        Pool::builder(Connector { options, idle: bounds.idle })
            .max_size(bounds.connections)
            .wait_timeout(Some(bounds.wait))
            .create_timeout(Some(bounds.connect))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map(Connections::Own)
            .map_err(Error::internal)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// `unavailable` when none becomes free in time, or the server cannot be reached.
    #[allow(clippy::disallowed_methods, reason = "measures how long it waits, for the metrics")]
    pub(crate) async fn lease(&self) -> Result<Lease> {
        let asked = Instant::now();
        let lease = match self {
            Connections::Own(pool) => match pool.get().await {
                Ok(connection) => Ok(Lease { held: Some(Held::Own(connection)) }),
                Err(PoolError::Timeout(TimeoutType::Wait)) => {
                    let status = pool.status();
                    Err(Error::unavailable(
                        "all connections to the database are busy",
                        format!("{} connections, {} waiting", status.size, status.waiting),
                    ))
                }
                Err(PoolError::Timeout(TimeoutType::Create)) => {
                    Err(unreachable("no connection was made in time"))
                }
                Err(PoolError::Backend(error)) => Err(refused(error)),
                Err(other) => Err(unreachable(other)),
            },
            Connections::Host(pool) => match pool.acquire().await {
                Ok(connection) => Ok(Lease { held: Some(Held::Host(connection)) }),
                Err(error @ sqlx::Error::PoolTimedOut) => {
                    Err(Error::unavailable("all connections to the database are busy", error))
                }
                Err(error) => Err(refused(error)),
            },
        };
        metrics::histogram!("crm_postgres_connection_wait_seconds").record(asked.elapsed());
        if lease.is_err() {
            metrics::counter!("crm_postgres_connection_failures_total").increment(1);
        }
        lease
    }

    /// Whether a unit of work must open its transaction itself: a host may have left one open on a
    /// connection that it gave back, and what is written inside would be gone with it.
    pub(crate) fn are_shared(&self) -> bool {
        match self {
            Connections::Own(_) => false,
            Connections::Host(_) => true,
        }
    }

    /// Drops the connections that nobody uses: the server that they led to is gone.
    pub(crate) fn forget_idle(&self) {
        match self {
            Connections::Own(pool) => {
                pool.retain(|_, _| false);
            }
            // The host's pool tests its own.
            Connections::Host(_) => {}
        }
    }
}

/// A server that was reached and does not let us in, or that was not reached.
fn refused(error: sqlx::Error) -> Error {
    if error.as_database_error().is_some() { failed(error) } else { unreachable(error) }
}

/// Opens connections for the pool.
#[derive(Debug)]
pub(crate) struct Connector {
    options: PgConnectOptions,
    idle: Duration,
}

impl managed::Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        self.options.connect().await
    }

    async fn recycle(
        &self,
        _: &mut PgConnection,
        metrics: &managed::Metrics,
    ) -> managed::RecycleResult<sqlx::Error> {
        // Firewalls forget connections that were silent for long.
        if metrics.last_used() > self.idle {
            return Err(RecycleError::message("idle for too long"));
        }
        Ok(())
    }
}

/// A connection for one unit of work. Dropped before [`Lease::keep`], it is closed: nobody knows then
/// what the server still does on it, or for which tenant.
pub(crate) struct Lease {
    held: Option<Held>,
}

enum Held {
    Own(Object<Connector>),
    Host(PoolConnection<Postgres>),
}

impl Lease {
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection> {
        match &mut self.held {
            Some(Held::Own(connection)) => Ok(connection),
            Some(Held::Host(connection)) => Ok(connection),
            None => Err(Error::internal("a connection was used after it was given back")),
        }
    }

    /// Gives the connection back: the server has answered, and no transaction is open.
    pub(crate) fn keep(mut self) {
        drop(self.held.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.held.take() {
            Some(Held::Own(connection)) => drop(Object::take(connection)),
            Some(Held::Host(mut connection)) => connection.close_on_drop(),
            None => {}
        }
    }
}
