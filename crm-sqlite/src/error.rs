//! What SQLite's failures mean to a caller.

use crm_core::{Error, ErrorKind, Result};
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// The core's error for a failure of SQLite that no caller foresaw.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    match code_of(&error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::unavailable("the database is locked by another program", error)
        }
        Some(ErrorCode::DiskFull) => Error::unavailable("the disk of the database is full", error),
        Some(ErrorCode::ReadOnly) => {
            Error::unavailable("the database file or its folder is read-only", error)
        }
        Some(ErrorCode::CannotOpen) => Error::unavailable(
            "the database file cannot be opened; name a file in a folder that exists",
            error,
        ),
        Some(ErrorCode::SystemIoFailure) => {
            Error::unavailable("the database file cannot be read or written", error)
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::new(ErrorKind::Internal, "the database file is damaged or is no database")
                .with_source(error)
        }
        Some(ErrorCode::ConstraintViolation) if is_foreign_key(&error) => {
            Error::new(ErrorKind::NotFound, "a record that the change refers to does not exist")
                .with_source(error)
        }
        Some(_) | None => Error::internal(error),
    }
}

/// The core's error for a failure of SQLite while a file is opened: what lies there is the caller's
/// choice.
pub(crate) fn failed_to_open(error: rusqlite::Error) -> Error {
    match code_of(&error) {
        Some(ErrorCode::NotADatabase) => {
            let message = "the file is no database; name another file";
            Error::invalid_field("database", "not_a_database", message).with_source(error)
        }
        Some(_) | None => failed(error),
    }
}

/// Whether another program holds the lock.
pub(crate) fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(code_of(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The same failure once more, for another caller whom it concerns.
pub(crate) fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error.sqlite_error() {
        Some(failure) => rusqlite::Error::SqliteFailure(*failure, Some(error.to_string())),
        None => rusqlite::Error::ToSqlConversionFailure(error.to_string().into()),
    }
}

/// Whether a unique value was taken.
pub(crate) fn is_taken(error: &rusqlite::Error) -> bool {
    matches!(
        extended_code_of(error),
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

fn is_foreign_key(error: &rusqlite::Error) -> bool {
    extended_code_of(error) == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

fn code_of(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error().map(|failure| failure.code)
}

fn extended_code_of(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|failure| failure.extended_code)
}

/// Why a unit of work was not applied.
pub(crate) enum Refused {
    /// It contradicts what is stored; others are not concerned.
    Job(Error),
    /// SQLite failed.
    Storage(rusqlite::Error),
}

impl Refused {
    /// The job's own error; a failure of the whole transaction stays one.
    pub(crate) fn into_job(self) -> Result<Error, rusqlite::Error> {
        match self {
            Refused::Job(error) => Ok(error),
            Refused::Storage(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
            {
                Ok(failed(error))
            }
            Refused::Storage(error) => Err(error),
        }
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Refused::Storage(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Job(error)
    }
}
