//! Values between the domain and PostgreSQL's columns.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use crm_core::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type, ValueRef};

/// A value as JSON.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// A record as the JSON of its `doc` column: without the fields that hold nothing, which are a third of
/// what a list would have to read.
pub(crate) fn to_doc<T: Serialize>(record: &T) -> Result<String> {
    let mut record = serde_json::to_value(record).map_err(Error::internal)?;
    if let Value::Object(fields) = &mut record {
        for field in fields.values_mut() {
            for element in field.as_array_mut().into_iter().flatten() {
                if let Value::Object(fields) = element {
                    fields.retain(|_, value| !value.is_null());
                }
            }
        }
        fields.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        });
    }
    to_json(&record)
}

/// The record that is the only value, as JSON; none where that is null.
pub(crate) fn optional_doc<'r, T: Deserialize<'r>>(rows: &'r [PgRow]) -> Result<Option<T>> {
    match only_value(rows)? {
        None => Ok(None),
        Some(doc) => serde_json::from_str(doc).map(Some).map_err(Error::internal),
    }
}

/// The records of the only value, one JSON document after the other.
pub(crate) fn docs<'r, T: Deserialize<'r>>(rows: &'r [PgRow]) -> Result<Vec<T>> {
    let text = only_value(rows)?.unwrap_or_default();
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(Error::internal)
}

fn only_value(rows: &[PgRow]) -> Result<Option<&str>> {
    let Some(row) = rows.first() else { return Ok(None) };
    let value = row.try_get_raw(0).map_err(Error::internal)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_str().map(Some).map_err(Error::internal)
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
