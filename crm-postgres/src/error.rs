//! What PostgreSQL's failures mean to a caller.

use crm_core::Error;
use sqlx::postgres::PgDatabaseError;

/// The core's error for a failure that no caller foresaw.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) {
        return unreachable(error);
    }
    Error::internal(error)
}

/// The database cannot be reached, or went away.
pub(crate) fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("the database cannot be reached", error)
}

pub(crate) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
}
