//! The unit of work: one task, one connection, done or undone.

use std::future::Future;
use std::time::Duration;

use crm_core::{Error, ErrorKind, Freshness, Result, SystemScope, TenantId, TenantScope};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use tracing::Instrument;

use crate::error::{Remedy, failed, remedy, unreachable};
use crate::pool::{Connections, Lease};
use crate::statement::{Protocol, Statement, Value};
use crate::{Inner, PostgresStore};

/// How often a unit of work is tried whose transaction gave way to another, or whose connection was
/// found dead.
const TRIES: u32 = 5;

impl PostgresStore {
    /// Runs `work` in a task of its own: a caller who goes away gives up the answer, not the work, so
    /// that no connection comes back in the middle of something.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let task = self.inner.runtime.spawn(work.in_current_span());
        task.await.map_err(|error| unreachable(error.to_string()))?
    }

    /// Calls a function of the schema for the scope's tenant, its first argument: one round trip.
    pub(crate) async fn call(
        &self,
        scope: &TenantScope,
        function: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>> {
        let tenant = scope.tenant().as_uuid().into();
        let statement = Statement::call(&self.inner.schema, function, tenant, values);
        self.ask(scope.freshness(), None, statement).await
    }

    /// Calls a function of the schema for a tenant before anybody is known there.
    pub(crate) async fn call_before(
        &self,
        _: &SystemScope,
        tenant: TenantId,
        function: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>> {
        let tenant = tenant.as_uuid().into();
        let statement = Statement::call(&self.inner.schema, function, tenant, values);
        self.ask(Freshness::Latest, None, statement).await
    }

    /// Calls a function of the schema that looks for tenants; its first argument is the reason.
    pub(crate) async fn call_for(
        &self,
        scope: &SystemScope,
        function: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>> {
        let reason = scope.reason().into();
        let statement = Statement::call(&self.inner.schema, function, reason, values);
        self.ask(Freshness::Latest, None, statement).await
    }

    /// Calls a function of the schema that works on the queue; its first argument is the reason.
    pub(crate) async fn call_queue(
        &self,
        scope: &SystemScope,
        function: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>> {
        let reason = scope.reason().into();
        let statement = Statement::call(&self.inner.schema, function, reason, values);
        // On a connection of the host's a transaction may have been left open, which would never end.
        let begin = self.inner.connections.are_shared().then(|| "begin; select 1".to_owned());
        self.ask(Freshness::Latest, begin, statement).await
    }

    /// One statement in a transaction that is opened for the scope's tenant: three round trips.
    pub(crate) async fn ask_in_transaction(
        &self,
        scope: &TenantScope,
        statement: Statement,
    ) -> Result<Vec<PgRow>> {
        let begin = format!(
            "begin read only; select set_config('{}.tenant_id', '{}', true)",
            self.inner.schema,
            scope.tenant()
        );
        self.ask(scope.freshness(), Some(begin), statement).await
    }

    async fn ask(
        &self,
        freshness: Freshness,
        begin: Option<String>,
        statement: Statement,
    ) -> Result<Vec<PgRow>> {
        let store = self.clone();
        self.run(async move {
            let inner = &store.inner;
            if let (Freshness::MayLag, Some(replica)) = (freshness, &inner.replica) {
                match inner.read(replica, begin.as_deref(), &statement).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        tracing::warn!(%error, "the replica is not there; the primary serves the read");
                    }
                    answer => return answer,
                }
            }
            inner.read(&inner.connections, begin.as_deref(), &statement).await
        })
        .await
    }
}

impl Inner {
    async fn read(
        &self,
        connections: &Connections,
        begin: Option<&str>,
        statement: &Statement,
    ) -> Result<Vec<PgRow>> {
        let mut tries = 1;
        loop {
            let mut lease = connections.lease().await?;
            let connection = lease.connection()?;
            let answer = async {
                match begin {
                    None => statement.fetch(connection, self.protocol).await,
                    Some(begin) => {
                        in_transaction(connection, self.protocol, begin, statement).await
                    }
                }
            };
            match self.patiently(answer).await? {
                Ok(rows) => {
                    lease.keep();
                    return Ok(rows);
                }
                Err(error) => {
                    let in_transaction = begin.is_some() || connections.are_shared();
                    after(connections, lease, error, in_transaction, tries).await?;
                }
            }
            tries += 1;
        }
    }

    /// Waits for the server as long as a statement may take there, and a little longer.
    pub(crate) async fn patiently<T>(&self, answer: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.patience, answer)
            .await
            .map_err(|elapsed| Error::unavailable("the database does not answer", elapsed))
    }
}

/// A transaction around one statement.
async fn in_transaction(
    connection: &mut PgConnection,
    protocol: Protocol,
    begin: &str,
    statement: &Statement,
) -> Result<Vec<PgRow>, sqlx::Error> {
    match protocol {
        Protocol::Prepared => {
            sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut *connection).await?;
            let rows = statement.fetch(connection, protocol).await?;
            sqlx::raw_sql("commit").execute(&mut *connection).await?;
            Ok(rows)
        }
        Protocol::Simple => {
            let text = format!("{begin}; {}; commit", statement.literal());
            let mut rows = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).fetch_all(connection).await?;
            // The first row is that of what begins.
            rows.drain(..rows.len().min(1));
            Ok(rows)
        }
    }
}

/// Gives back or drops the connection of an attempt that failed, perhaps within a transaction. `Ok` is
/// for another attempt.
pub(crate) async fn after(
    connections: &Connections,
    mut lease: Lease,
    error: sqlx::Error,
    in_transaction: bool,
    tries: u32,
) -> Result<()> {
    let what = remedy(&error);
    match what {
        Remedy::Reconnect => {
            drop(lease);
            connections.forget_idle();
        }
        Remedy::Repeat | Remedy::None => {
            let undone = !in_transaction
                || sqlx::raw_sql("rollback").execute(lease.connection()?).await.is_ok();
            if undone {
                lease.keep();
            }
        }
    }
    match what {
        Remedy::Repeat | Remedy::Reconnect if tries < TRIES => {
            // Whoever made us give way is still at work.
            tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
            Ok(())
        }
        Remedy::Repeat | Remedy::Reconnect | Remedy::None => Err(failed(error)),
    }
}
