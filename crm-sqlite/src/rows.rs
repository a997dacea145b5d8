//! Values between the domain and SQLite's columns.

use std::str::FromStr;

use crm_core::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::Refused;

/// A record as the JSON of its `doc` column.
pub(crate) fn to_doc<T: Serialize>(record: &T) -> Result<String, crm_core::Error> {
    serde_json::to_string(record).map_err(crm_core::Error::internal)
}

/// The record of a `doc` column.
pub(crate) fn from_doc<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let doc = row.get_ref(column)?.as_str()?;
    serde_json::from_str(doc).map_err(|error| unreadable(column, error))
}

/// The record of a `doc` column that may be null.
pub(crate) fn optional_doc<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(_) => from_doc(row, column).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes = row.get_ref(column)?.as_blob()?;
    Uuid::from_slice(bytes).map_err(|error| unreadable(column, error))
}

pub(crate) fn optional_uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        Some(bytes) => Uuid::from_slice(bytes).map(Some).map_err(|error| unreadable(column, error)),
        None => Ok(None),
    }
}

pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    Timestamp::from_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

/// A value that is kept as its text.
pub(crate) fn parsed<T: FromStr<Err = crm_core::Error>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| unreadable(column, error))
}

pub(crate) fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// Why an update by version touched no row: the record is gone, or at another version.
pub(crate) fn not_at_version(
    connection: &Connection,
    what: &'static str,
    tenant: i64,
    id: Uuid,
    expected: i64,
) -> Refused {
    let found = connection
        .prepare_cached(&format!("SELECT version FROM {what} WHERE tenant_no = ?1 AND id = ?2"))
        .and_then(|mut found| {
            found.query_row(params![tenant, id.as_bytes()], |row| row.get::<_, i64>(0))
        });
    match found {
        Ok(found) => crm_core::Error::version_conflict(what, expected, found).into(),
        Err(rusqlite::Error::QueryReturnedNoRows) => crm_core::Error::not_found(what).into(),
        Err(error) => error.into(),
    }
}
