//! A statement with its values, for either of PostgreSQL's two protocols.
//!
//! With the extended protocol, the values travel apart from the text, and prepared statements are kept by the
//! connection. A pooler that hands each transaction to another server connection, and does not follow
//! prepared statements, needs the simple protocol, where the values are literals in the text. There is one
//! function that writes a literal, and it takes values of known types only.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use crm_core::Timestamp;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::SchemaName;

/// How statements are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Prepared statements, kept by each connection.
    #[default]
    Prepared,
    /// One message of text for each statement: for poolers that do not follow prepared statements, such
    /// as pgbouncer before 1.21 in transaction mode. The server's log of slow and of failed statements then
    /// holds their values; set `log_min_error_statement = panic` for `crm_app`, or keep the log as
    /// safe as the data.
    Simple,
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Uuid(Uuid),
    OptionalUuid(Option<Uuid>),
    Text(String),
    OptionalText(Option<String>),
    Time(Timestamp),
    Bools(Vec<bool>),
    SmallInts(Vec<i16>),
    Ints(Vec<i32>),
    BigInts(Vec<i64>),
    Uuids(Vec<Uuid>),
    OptionalUuids(Vec<Option<Uuid>>),
    Texts(Vec<String>),
    OptionalTexts(Vec<Option<String>>),
    Times(Vec<Timestamp>),
}

/// SQL text with a place for each of its values.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The text around the values: one piece more than there are values.
    pieces: Vec<String>,
    values: Vec<Value>,
}

impl Statement {
    /// A statement that begins so. Nothing but words of this crate goes into the text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Statement { pieces: vec![text.into()], values: Vec::new() }
    }

    /// Adds words of this crate.
    pub(crate) fn push(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(piece) => piece.push_str(text),
            None => self.pieces.push(text.to_owned()),
        }
    }

    /// Adds a value.
    pub(crate) fn value(&mut self, value: Value) {
        self.values.push(value);
        self.pieces.push(String::new());
    }

    /// `select * from schema.function(first, values)`. The first says for whom.
    pub(crate) fn call(
        schema: &SchemaName,
        function: &str,
        first: Value,
        values: Vec<Value>,
    ) -> Self {
        let mut statement = Statement::new(format!("select * from {schema}.{function}("));
        statement.value(first);
        for value in values {
            statement.push(", ");
            statement.value(value);
        }
        statement.push(")");
        statement
    }

    /// A statement that returns the documents `doc` of `query` in their order, as one text.
    pub(crate) fn list_of(query: Statement) -> Self {
        let mut statement = Statement::new("select string_agg(page.doc::text, E'\\n') from (");
        let mut pieces = query.pieces.into_iter();
        if let Some(first) = pieces.next() {
            statement.push(&first);
        }
        statement.pieces.extend(pieces);
        statement.values = query.values;
        statement.push(") as page");
        statement
    }

    /// The text with a parameter for each value, and the values.
    fn prepared(&self) -> Result<(String, PgArguments), sqlx::Error> {
        let mut text = String::new();
        let mut arguments = PgArguments::default();
        let mut values = self.values.iter();
        for piece in &self.pieces {
            text.push_str(piece);
            if let Some(value) = values.next() {
                value.add_to(&mut arguments).map_err(sqlx::Error::Encode)?;
                let _ = write!(text, "${}", arguments.len());
            }
        }
        Ok((text, arguments))
    }

    /// The text with the values in it.
    pub(crate) fn literal(&self) -> String {
        let mut text = String::new();
        let mut values = self.values.iter();
        for piece in &self.pieces {
            text.push_str(piece);
            if let Some(value) = values.next() {
                value.write_literal(&mut text);
            }
        }
        text
    }

    /// Runs the statement and returns its rows.
    pub(crate) async fn fetch(
        &self,
        connection: &mut PgConnection,
        protocol: Protocol,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        match protocol {
            Protocol::Prepared => {
                let (text, arguments) = self.prepared()?;
                sqlx::query_with(AssertSqlSafe(text), arguments).fetch_all(connection).await
            }
            Protocol::Simple => {
                sqlx::raw_sql(AssertSqlSafe(self.literal())).fetch_all(connection).await
            }
        }
    }
}

impl Value {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
        let times = |times: &[Timestamp]| -> Vec<DateTime<Utc>> {
            times.iter().copied().map(DateTime::from).collect()
        };
        match self {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Uuid(value) => arguments.add(value),
            Value::OptionalUuid(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::OptionalText(value) => arguments.add(value),
            Value::Time(value) => arguments.add(DateTime::<Utc>::from(*value)),
            Value::Bools(values) => arguments.add(values),
            Value::SmallInts(values) => arguments.add(values),
            Value::Ints(values) => arguments.add(values),
            Value::BigInts(values) => arguments.add(values),
            Value::Uuids(values) => arguments.add(values),
            Value::OptionalUuids(values) => arguments.add(values),
            Value::Texts(values) => arguments.add(values),
            Value::OptionalTexts(values) => arguments.add(values),
            Value::Times(values) => arguments.add(times(values)),
        }
    }

    fn write_literal(&self, text: &mut String) {
        match self {
            Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => {
                let _ = write!(text, "{value}::bigint");
            }
            Value::Uuid(value) => {
                let _ = write!(text, "'{value}'::uuid");
            }
            Value::OptionalUuid(None) => text.push_str("null::uuid"),
            Value::OptionalUuid(Some(value)) => Value::Uuid(*value).write_literal(text),
            Value::Text(value) => quote(text, value, "text"),
            Value::OptionalText(None) => text.push_str("null::text"),
            Value::OptionalText(Some(value)) => quote(text, value, "text"),
            Value::Time(value) => quote(text, &time(*value), "timestamptz"),
            Value::Bools(values) => {
                array(text, values, "boolean[]", |value| Some(value.to_string()))
            }
            Value::SmallInts(values) => {
                array(text, values, "smallint[]", |value| Some(value.to_string()));
            }
            Value::Ints(values) => {
                array(text, values, "integer[]", |value| Some(value.to_string()))
            }
            Value::BigInts(values) => {
                array(text, values, "bigint[]", |value| Some(value.to_string()))
            }
            Value::Uuids(values) => array(text, values, "uuid[]", |value| Some(value.to_string())),
            Value::OptionalUuids(values) => {
                array(text, values, "uuid[]", |value| value.map(|value| value.to_string()));
            }
            Value::Texts(values) => array(text, values, "text[]", |value| Some(value.clone())),
            Value::OptionalTexts(values) => array(text, values, "text[]", Clone::clone),
            Value::Times(values) => {
                array(text, values, "timestamptz[]", |value| Some(time(*value)))
            }
        }
    }
}

fn time(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Writes a string constant. Of the form `E'..'`, in which a backslash escapes whatever the server's
/// `standard_conforming_strings` says.
fn quote(text: &mut String, value: &str, of_type: &str) {
    text.push_str("E'");
    for c in value.chars() {
        match c {
            '\'' => text.push_str("''"),
            '\\' => text.push_str("\\\\"),
            // No text of the database can hold it; the server refuses it with the same words.
            other => text.push(other),
        }
    }
    let _ = write!(text, "'::{of_type}");
}

fn array<T>(
    text: &mut String,
    values: &[T],
    of_type: &str,
    element: impl Fn(&T) -> Option<String>,
) {
    let mut list = String::from("{");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            list.push(',');
        }
        match element(value) {
            None => list.push_str("NULL"),
            Some(element) => {
                list.push('"');
                for c in element.chars() {
                    if matches!(c, '"' | '\\') {
                        list.push('\\');
                    }
                    list.push(c);
                }
                list.push('"');
            }
        }
    }
    list.push('}');
    quote(text, &list, of_type);
}

macro_rules! values {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Value::$variant(value)
            }
        })*
    };
}

values! {
    bool => Bool, i64 => Int, Uuid => Uuid, Option<Uuid> => OptionalUuid, String => Text,
    Option<String> => OptionalText, Timestamp => Time,
    Vec<bool> => Bools, Vec<i16> => SmallInts, Vec<i32> => Ints, Vec<i64> => BigInts,
    Vec<Uuid> => Uuids, Vec<Option<Uuid>> => OptionalUuids, Vec<String> => Texts,
    Vec<Option<String>> => OptionalTexts, Vec<Timestamp> => Times,
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}
