//! Values between the domain and PostgreSQL's columns.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use crm_core::{Error, Result, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type, ValueRef};

/// A record as the JSON of its `doc` column.
pub(crate) fn to_doc<T: Serialize>(record: &T) -> Result<String> {
    serde_json::to_string(record).map_err(Error::internal)
}

/// The record in the first column, a JSON document; none where that is null.
pub(crate) fn optional_doc<T: DeserializeOwned>(rows: &[PgRow]) -> Result<Option<T>> {
    match rows.first() {
        None => Ok(None),
        Some(row) => {
            let value = row.try_get_raw(0).map_err(Error::internal)?;
            if value.is_null() {
                return Ok(None);
            }
            let doc = value.as_bytes().map_err(Error::internal)?;
            serde_json::from_slice(doc).map(Some).map_err(Error::internal)
        }
    }
}

/// The records in the first column, each a JSON document.
pub(crate) fn docs<T: DeserializeOwned>(rows: &[PgRow]) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| {
            let value = row.try_get_raw(0).map_err(Error::internal)?;
            let doc = value.as_bytes().map_err(Error::internal)?;
            serde_json::from_slice(doc).map_err(Error::internal)
        })
        .collect()
}

pub(crate) fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    row: &'r PgRow,
    column: &str,
) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}

/// The text of a JSON column.
pub(crate) fn json_text<'r>(row: &'r PgRow, column: &str) -> Result<&'r str> {
    let value = row.try_get_raw(column).map_err(Error::internal)?;
    value.as_str().map_err(Error::internal)
}

pub(crate) fn timestamp(row: &PgRow, column: &str) -> Result<Timestamp> {
    get::<DateTime<Utc>>(row, column).map(Timestamp::from)
}

/// A value that is kept as its text.
pub(crate) fn parsed<T: FromStr<Err = Error>>(row: &PgRow, column: &str) -> Result<T> {
    get::<&str>(row, column)?.parse().map_err(Error::internal)
}

/// A count or a limit as the database has it.
pub(crate) fn bigint(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Whether a text of the database can be equal to this one: none holds a zero.
pub(crate) fn is_text(text: &str) -> bool {
    !text.contains('\0')
}
