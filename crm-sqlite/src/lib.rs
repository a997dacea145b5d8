//! The embedded store of crm-core: one SQLite file in the process.
//!
//! One thread writes. It takes units of work from a queue and commits as many as are waiting in one
//! transaction, each behind a savepoint of its own, so that callers share the cost of the disk
//! without sharing each other's failures. Readers have connections of their own and see the last
//! commit; they never wait for the writer. A second process may open the same file.

mod activities;
mod audit;
mod calls;
mod checks;
mod companies;
mod contacts;
mod error;
mod events;
mod idempotency;
mod identity;
mod jobs;
mod notifications;
#[cfg(test)]
mod plans;
mod privacy;
mod readers;
mod rows;
mod schema;
mod search;
mod telephony;
mod tenancy;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::ports::Store;
use crm_core::{Changes, Result};

pub use checks::doctor;

use readers::{Aside, Readers};
use schema::Cache;
use writer::Writer;

/// A store in one SQLite file. Cheap to clone; the file is closed when the last clone goes, which waits
/// for the writes that were handed in.
///
/// Short reads (a record, a page) run in the caller's thread: they take less time than a hop to another.
/// Search, counts and statistics run on threads of the store, and so do writes.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("crm.db");
/// let crm = crm_core::Crm::builder(crm_sqlite::SqliteStore::open(&path).await?).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Readers,
    aside: Aside,
    writer: Writer,
}

/// How a file is opened.
#[derive(Debug, Clone)]
pub struct Options {
    busy_timeout: Duration,
    readers: usize,
    durability: Durability,
    group_commit: bool,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the machine: `synchronous=FULL`, one write to the disk for each group of commits.
    Machine,
    /// A crash of the process: `synchronous=NORMAL`. The last commits before a power failure may be
    /// gone, whole.
    Process,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            busy_timeout: Duration::from_secs(5),
            readers: 8,
            durability: Durability::Machine,
            group_commit: true,
        }
    }
}

impl Options {
    /// How long to wait for another process that writes, before `unavailable`; 5 s by default.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many connections are kept open for reading, 1..=64; 8 by default. More are opened when
    /// more are needed.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, 64);
        self
    }

    /// What a commit survives; a crash of the machine by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether waiting units of work share a transaction; they do by default. Off, each has its own,
    /// which is only useful to measure the difference.
    #[must_use]
    pub fn group_commit(mut self, on: bool) -> Self {
        self.group_commit = on;
        self
    }
}

impl SqliteStore {
    /// Opens the file, which is made where there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// `unavailable` when the file cannot be opened or is locked; `invalid` when it is no database,
    /// another program's database or was made by a newer version of this one.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default()).await
    }

    /// [`SqliteStore::open`] with other options.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStore::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let place = Place::File(path.as_ref().to_owned());
        let writer = Writer::start(place.clone(), options.clone()).await?;
        let aside = Aside::start(place.clone(), options.clone())?;
        let readers = Readers::new(place, options, Cache::Small);
        Ok(SqliteStore { inner: Arc::new(Inner { readers, aside, writer }) })
    }

    /// An empty database in memory, gone with the last clone.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no memory for it.
    pub async fn open_in_memory() -> Result<Self> {
        // The address of this value is the name of the database: no two that live are equal.
        let place = Place::Memory(Arc::new(0u8));
        let options = Options::default();
        let writer = Writer::start(place.clone(), options.clone()).await?;
        let aside = Aside::start(place.clone(), options.clone())?;
        let readers = Readers::new(place, options, Cache::Small);
        Ok(SqliteStore { inner: Arc::new(Inner { readers, aside, writer }) })
    }

    fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    fn aside(&self) -> &Aside {
        &self.inner.aside
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.inner.writer.commit(changes).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// Where a database is.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Memory(Arc<u8>),
}
