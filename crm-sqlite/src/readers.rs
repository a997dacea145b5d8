//! Connections for reading.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

use crm_core::{Error, Result, TenantId, TenantScope};
use futures::channel::oneshot;
use rusqlite::{Connection, OptionalExtension};

use crate::error::failed;
use crate::{Options, Place, schema};

/// A pool of connections, and the numbers of the tenants seen so far.
pub(crate) struct Readers {
    place: Place,
    options: Options,
    idle: Mutex<Vec<Connection>>,
    tenants: RwLock<HashMap<TenantId, i64>>,
}

impl Readers {
    pub(crate) fn new(place: Place, options: Options) -> Self {
        Readers {
            place,
            options,
            idle: Mutex::new(Vec::new()),
            tenants: RwLock::new(HashMap::new()),
        }
    }

    /// Reads in the caller's thread: right for what takes less time than a hop to another thread.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let connection = self.take()?;
        let result = work(&connection);
        self.give_back(connection);
        result.map_err(failed)
    }

    /// [`Readers::read`] within a tenant, whose number the work is given. A tenant that does not
    /// exist has nothing: the work is not done.
    pub(crate) fn read_in<T: Default>(
        &self,
        scope: &TenantScope,
        work: impl FnOnce(&Connection, i64) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let known = {
            let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
            tenants.get(&scope.tenant()).copied()
        };
        let connection = self.take()?;
        let number = match known {
            Some(number) => Ok(Some(number)),
            None => tenant_number(&connection, scope.tenant()),
        };
        let result = match number {
            Ok(Some(number)) => {
                if known.is_none() {
                    let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
                    tenants.insert(scope.tenant(), number);
                }
                work(&connection, number)
            }
            Ok(None) => Ok(T::default()),
            Err(error) => Err(error),
        };
        self.give_back(connection);
        result.map_err(failed)
    }

    /// [`Readers::read_in`] for more than one statement: they see one state, and share the cost of
    /// locking it, which is several times that of a small statement.
    pub(crate) fn read_snapshot_in<T: Default>(
        &self,
        scope: &TenantScope,
        work: impl FnOnce(&Connection, i64) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.read_in(scope, |connection, tenant| {
            connection.prepare_cached("BEGIN")?.execute([])?;
            let result = work(connection, tenant);
            let ended = connection.prepare_cached("COMMIT")?.execute([]);
            result.and_then(|value| ended.map(|_| value))
        })
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => {
                let connection = schema::connect(&self.place, &self.options)?;
                connection.execute_batch("PRAGMA query_only = ON").map_err(failed)?;
                Ok(connection)
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        if !connection.is_autocommit() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.options.readers {
            idle.push(connection);
        }
    }
}

/// The number that stands for the tenant in every table.
pub(crate) fn tenant_number(
    connection: &Connection,
    tenant: TenantId,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT no FROM tenant WHERE id = ?1")?
        .query_row([tenant.as_uuid().as_bytes()], |row| row.get(0))
        .optional()
}

/// Runs `work` on a thread of its own and waits for it: for reads that may take long enough to hold
/// up a runtime's other tasks.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (answer, done) = oneshot::channel();
    std::thread::Builder::new()
        .name("crm-sqlite-read".to_owned())
        .spawn(move || {
            // Nobody waits any more when the receiver is gone.
            let _ = answer.send(work());
        })
        .map_err(|error| Error::unavailable("no thread can be started", error))?;
    done.await.map_err(Error::internal)?
}
