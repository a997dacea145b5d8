//! The schema and its migrations.

use crm_core::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{failed, failed_to_open};
use crate::{Durability, Options, Place};

/// The migrations in their order: forward only, never changed once released.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_initial.sql")];

/// Marks the file as ours (`PRAGMA application_id`): the bytes of `crmc`.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"crmc");

/// Pages in the write-ahead log at which the writer itself stops to fold it in; the background does
/// so long before, unless it cannot keep up.
const AUTOCHECKPOINT_PAGES: i32 = 64 * 1024;

/// Size of the write-ahead log from which it is folded into the file in the background, and to which
/// it is cut when it starts anew.
pub(crate) const CHECKPOINT_BYTES: u64 = 16 * 1024 * 1024;

/// The version of the schema that this program writes.
pub(crate) fn newest() -> usize {
    MIGRATIONS.len()
}

/// The pages that a connection keeps, in KiB at most.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cache {
    /// For single statements: the inner pages of every index of a large file.
    Small = 16 * 1024,
    /// For search, which reads a hundred places for one query: a good part of the postings.
    Large = 64 * 1024,
}

/// A connection to `place` that keeps the house rules.
pub(crate) fn connect(place: &Place, options: &Options, cache: Cache) -> Result<Connection> {
    let connection = match place {
        Place::File(path) => Connection::open(path),
        Place::Memory(name) => Connection::open(format!(
            "file:/crm-{:x}?vfs=memdb",
            std::sync::Arc::as_ptr(name).addr()
        )),
    }
    .map_err(failed)?;
    #[cfg(test)]
    crate::plans::watch(&connection);
    connection.set_prepared_statement_cache_capacity(128);
    connection.busy_timeout(options.busy_timeout).map_err(failed)?;
    // A plan may not depend on the values bound: SQLite would prepare a range look-up anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    let synchronous = match options.durability {
        Durability::Machine => "FULL",
        Durability::Process => "NORMAL",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;
             PRAGMA synchronous = {synchronous};
             PRAGMA cache_size = -{};
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES};
             PRAGMA journal_size_limit = {CHECKPOINT_BYTES};",
            cache as i32
        ))
        .map_err(failed_to_open)?;
    Ok(connection)
}

/// Brings the schema up to date. Safe while other processes do the same.
pub(crate) fn migrate(connection: &mut Connection, place: &Place) -> Result<()> {
    match place {
        Place::File(_) => {
            // Only an empty file may become ours, and a newer one is not touched at all.
            check_owner(connection)?;
            version(connection)?;
            let mode: String = connection
                .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
                .map_err(failed)?;
            if mode != "wal" {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the database file cannot keep a write-ahead log where it lies",
                ));
            }
        }
        Place::Memory(_) => {}
    }
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let from = version(&transaction)?;
    for migration in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction
        .execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
            MIGRATIONS.len()
        ))
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// The version of the file's schema.
pub(crate) fn version(connection: &Connection) -> Result<usize> {
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    usize::try_from(found).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        let message = format!(
            "the database has schema {found}; this program knows up to {}, use a newer one",
            MIGRATIONS.len()
        );
        Error::invalid_field("database", "newer_schema", message)
    })
}

pub(crate) fn check_owner(connection: &Connection) -> Result<()> {
    // In this order: where another process makes the schema in between, the id is ours already.
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed_to_open)?;
    let id: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(failed_to_open)?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return Ok(());
    }
    let message = "the file is the database of another program; name another file";
    Err(Error::invalid_field("database", "foreign_database", message))
}
