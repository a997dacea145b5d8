//! What PostgreSQL's failures mean to a caller.

use crm_core::Error;
use sqlx::postgres::PgDatabaseError;

/// Raised by `crm.commit`: a unique value is taken.
pub(crate) const TAKEN: &str = "UX001";
/// Raised by `crm.commit`: a record is not at the version expected.
pub(crate) const STALE: &str = "UX002";
/// Raised by `crm.commit`: the lease that the unit was made under is lost.
pub(crate) const LOST: &str = "UX003";
/// Raised by `crm.commit`: the group of readers is not where the unit found it.
pub(crate) const MOVED: &str = "UX004";

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    None,
    /// The same once more: the transaction was rolled back for the sake of another, or was not ours.
    Repeat,
    /// The same on another connection: this one is gone, and nobody knows how far it came.
    Reconnect,
}

/// What can be done about `error`.
pub(crate) fn remedy(error: &sqlx::Error) -> Remedy {
    if let Some(error) = database(error) {
        return match error.code() {
            // Serialization failure, deadlock.
            "40001" | "40P01" => Remedy::Repeat,
            // The host has left a transaction open that failed; it is rolled back before the repetition.
            "25P02" => Remedy::Repeat,
            // Another took the value in the same moment; now it can be seen, and named.
            "23505" if error.constraint() == Some("calls_provider_key") => Remedy::Repeat,
            // Shut down by the administrator, or by a crash of another backend; starting up.
            "57P01" | "57P02" | "57P03" => Remedy::Reconnect,
            code if code.starts_with("08") => Remedy::Reconnect,
            _ => Remedy::None,
        };
    }
    let gone =
        matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed);
    if gone { Remedy::Reconnect } else { Remedy::None }
}

/// The core's error for a failure that no caller foresaw.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    if remedy(&error) == Remedy::Reconnect {
        return unreachable(error);
    }
    let code = database(&error).map(|error| error.code().to_owned());
    match code.as_deref() {
        Some("40001" | "40P01") => {
            Error::unavailable("the database is busy with the same records", error)
        }
        Some("55P03") => {
            Error::unavailable("the record is locked by another transaction for too long", error)
        }
        Some("57014") => Error::unavailable("the database took too long", error),
        Some("53300") => Error::unavailable("the database has no connection left", error),
        Some(code) if code.starts_with("53") => {
            Error::unavailable("the database has no room or memory left", error)
        }
        Some("25006") => {
            Error::unavailable("the database is read-only; this may be a replica", error)
        }
        Some("23503") => missing(error),
        Some("28000" | "28P01" | "3D000") => {
            Error::unavailable("the database does not let the application in", error)
        }
        Some(_) | None => Error::internal(error),
    }
}

/// The database cannot be reached, or went away.
pub(crate) fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("the database cannot be reached", error)
}

/// A record refers to one that is not there.
fn missing(error: sqlx::Error) -> Error {
    let constraint = database(&error).and_then(|error| error.constraint()).unwrap_or_default();
    let what = match constraint {
        "contacts_owner_fkey"
        | "calls_user_fkey"
        | "notifications_user_fkey"
        | "notification_preferences_user_fkey" => "user",
        "contacts_company_fkey" => "company",
        "activities_contact_fkey" | "calls_contact_fkey" | "consents_contact_fkey" => "contact",
        "calls_account_fkey" => "telephony account",
        name if name.ends_with("_tenant_fkey") => "tenant",
        _ => "record",
    };
    Error::not_found(what).with_source(error)
}

pub(crate) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
}
