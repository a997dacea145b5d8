//! Connections for reading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;

use crm_core::{Error, Result, TenantId, TenantScope};
use futures::channel::oneshot;
use rusqlite::{Connection, OptionalExtension};

use crate::error::failed;
use crate::schema::Cache;
use crate::{Options, Place, schema};

/// A pool of connections, and the numbers of the tenants seen so far.
pub(crate) struct Readers {
    place: Place,
    options: Options,
    cache: Cache,
    idle: Mutex<Vec<Connection>>,
    tenants: RwLock<HashMap<TenantId, i64>>,
}

impl Readers {
    pub(crate) fn new(place: Place, options: Options, cache: Cache) -> Self {
        Readers {
            place,
            options,
            cache,
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
                let connection = schema::connect(&self.place, &self.options, self.cache)?;
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

/// Threads for reads that may take long enough to hold up a runtime's other tasks.
pub(crate) struct Aside {
    readers: Arc<Readers>,
    queue: Option<mpsc::Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Reads that go on at once: more would wait for the same cores and the same disk.
const THREADS: usize = 2;

impl Aside {
    pub(crate) fn start(place: Place, options: Options) -> Result<Self> {
        let readers = Arc::new(Readers::new(place, options, Cache::Large));
        let (queue, work) = mpsc::channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let work = Arc::clone(&work);
            let thread = std::thread::Builder::new()
                .name("crm-sqlite-read".to_owned())
                .spawn(move || {
                    loop {
                        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match next {
                            Ok(work) => work(),
                            Err(_) => return,
                        }
                    }
                })
                .map_err(|error| Error::unavailable("no thread can be started", error))?;
            threads.push(thread);
        }
        Ok(Aside { readers, queue: Some(queue), threads })
    }

    /// Runs `work` on one of the threads. It holds the readers and not the store, whose end waits
    /// for the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Readers) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, done) = oneshot::channel();
        let readers = Arc::clone(&self.readers);
        let work: Work = Box::new(move || {
            // Somebody who types on does not wait for what was typed before.
            if !answer.is_canceled() {
                let _ = answer.send(work(&readers));
            }
        });
        match self.queue.as_ref().map(|queue| queue.send(work)) {
            Some(Ok(())) => done.await.map_err(Error::internal)?,
            Some(Err(_)) | None => Err(Error::internal("the store is closed")),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread has panicked");
            }
        }
    }
}
