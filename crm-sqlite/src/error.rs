//! What SQLite's failures mean to a caller.

use crm_core::{Error, ErrorKind};
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// The core's error for a failure of SQLite that no caller foresaw.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    match code_of(&error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::unavailable("the database is locked by another program", error)
        }
        Some(ErrorCode::DiskFull) => Error::unavailable("the disk of the database is full", error),
        Some(ErrorCode::ReadOnly) => Error::unavailable("the database file is read-only", error),
        Some(ErrorCode::CannotOpen) => {
            Error::unavailable("the database file cannot be opened", error)
        }
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
