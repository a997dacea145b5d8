//! What a host has answered, and how it is read. A wrong answer is an error that says which method gave it and
//! where in it; what it said stands in the error's source alone.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "where one kind of value is expected, all others are equally wrong"
)]

use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use crm_core::{Error, ErrorKind, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::door::Asked;
use super::value::{HostStream, HostValue};

/// What a host has answered.
pub(super) struct Answer {
    pub(super) asked: Asked,
    pub(super) value: HostValue,
}

/// Some fields of an answer.
pub(super) struct Fields {
    asked: Asked,
    place: String,
    fields: BTreeMap<String, HostValue>,
}

impl Answer {
    /// The answer as this shape.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        read(self.asked, String::new(), self.value)
    }

    pub(super) fn time(self) -> Result<Timestamp, Error> {
        match self.value {
            HostValue::Time(time) => Ok(time),
            HostValue::Text(_) => self.read(),
            other => Err(self.asked.wrong("", &expected("a time with a time zone", &other))),
        }
    }

    pub(super) fn truth(self) -> Result<bool, Error> {
        match self.value {
            HostValue::Bool(value) => Ok(value),
            other => Err(self.asked.wrong("", &expected("a truth value", &other))),
        }
    }

    pub(super) fn text(self) -> Result<Option<String>, Error> {
        match self.value {
            HostValue::Null => Ok(None),
            HostValue::Text(text) => Ok(Some(text)),
            other => Err(self.asked.wrong("", &expected("text", &other))),
        }
    }

    pub(super) fn fields(self) -> Result<Fields, Error> {
        fields(self.asked, String::new(), self.value)
    }

    /// The members of a list.
    pub(super) fn each<T>(
        self,
        read: impl Fn(Fields) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let HostValue::List(members) = self.value else {
            return Err(self.asked.wrong("", &expected("a list", &self.value)));
        };
        let members = members.into_iter().enumerate();
        let members = members.map(|(at, value)| fields(self.asked, format!("[{at}]"), value));
        members.map(|fields| fields.and_then(&read)).collect()
    }

    /// An iterator, or what it would give at once.
    pub(super) fn stream(self) -> Result<HostStream, Error> {
        stream(self.asked, "", self.value)
    }
}

impl Fields {
    fn path(&self, name: &str) -> String {
        join(&self.place, name)
    }

    fn take(&mut self, name: &str) -> HostValue {
        self.fields.remove(name).unwrap_or(HostValue::Null)
    }

    /// Bytes, or text in UTF-8.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Bytes, Error> {
        match self.take(name) {
            HostValue::Bytes(bytes) => Ok(bytes),
            HostValue::Text(text) => Ok(text.into()),
            other => Err(self.asked.wrong(&self.path(name), &expected("bytes", &other))),
        }
    }

    pub(super) fn stream(&mut self, name: &str) -> Result<HostStream, Error> {
        let value = self.take(name);
        stream(self.asked, &self.path(name), value)
    }

    /// What was not taken, as this shape.
    pub(super) fn rest<T: DeserializeOwned>(self) -> Result<T, Error> {
        read(self.asked, self.place, HostValue::Object(self.fields))
    }
}

fn fields(asked: Asked, place: String, value: HostValue) -> Result<Fields, Error> {
    match value {
        HostValue::Object(fields) => Ok(Fields { asked, place, fields }),
        other => Err(asked.wrong(&place, &expected("an object", &other))),
    }
}

fn stream(asked: Asked, place: &str, value: HostValue) -> Result<HostStream, Error> {
    match value {
        HostValue::Stream(stream) => Ok(stream),
        bytes @ HostValue::Bytes(_) => Ok(Box::pin(futures::stream::iter([Ok(bytes)]))),
        other => Err(asked.wrong(place, &expected("an asynchronous iterator", &other))),
    }
}

fn read<T: DeserializeOwned>(asked: Asked, place: String, value: HostValue) -> Result<T, Error> {
    let json = json(asked, &place, value)?;
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        let named = reason.split('`').nth(1).filter(|_| reason.contains("field `"));
        let at = match (path.as_str(), named) {
            (".", named) => join(&place, named.unwrap_or_default()),
            (path, Some(named)) if !path.ends_with(named) => join(&join(&place, path), named),
            (path, _) => join(&place, path),
        };
        asked.wrong(&at, &asked.without_values(&reason)).with_source(reason)
    })
}

fn json(asked: Asked, place: &str, value: HostValue) -> Result<Value, Error> {
    Ok(match value {
        HostValue::Null => Value::Null,
        HostValue::Bool(value) => value.into(),
        HostValue::Integer(value) => value.into(),
        HostValue::Number(value) if value.is_finite() => number(value),
        HostValue::Number(_) => return Err(asked.wrong(place, "expected a finite number")),
        HostValue::Text(text) => text.into(),
        HostValue::Time(time) => time.to_string().into(),
        HostValue::Map(map) => {
            map.into_iter().map(|(name, text)| (name, Value::String(text))).collect()
        }
        HostValue::Record(_, value) => value,
        HostValue::List(members) => {
            let members = members.into_iter().enumerate();
            let members =
                members.map(|(at, member)| json(asked, &format!("{place}[{at}]"), member));
            Value::Array(members.collect::<Result<_, _>>()?)
        }
        HostValue::Object(fields) => {
            let fields = fields.into_iter().map(|(name, field)| {
                let field = json(asked, &join(place, &name), field)?;
                Ok((name, field))
            });
            Value::Object(fields.collect::<Result<_, Error>>()?)
        }
        other @ (HostValue::Bytes(_) | HostValue::Stream(_) | HostValue::Unreadable(_)) => {
            return Err(asked.wrong(place, &format!("{} cannot be here", other.what())));
        }
    })
}

/// Node has one kind of number: a whole one is one.
fn number(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "a whole number within the bounds")]
    if value.fract() == 0.0 && value.abs() <= super::LARGEST as f64 {
        return Value::from(value as i64);
    }
    Value::from(value)
}

fn expected(what: &str, found: &HostValue) -> String {
    format!("expected {what}, found {}", found.what())
}

fn join(place: &str, name: &str) -> String {
    match (place, name) {
        ("", name) => name.to_owned(),
        (place, "") => place.to_owned(),
        (place, name) if name.starts_with('[') => format!("{place}{name}"),
        (place, name) => format!("{place}.{name}"),
    }
}

impl Asked {
    /// A wrong answer.
    pub(super) fn wrong(self, place: &str, reason: &(impl Display + ?Sized)) -> Error {
        let at =
            if place.is_empty() { String::new() } else { format!(" at `{}`", (self.spell)(place)) };
        Error::new(ErrorKind::Internal, format!("{self} answered wrongly{at}: {reason}"))
    }

    /// The reason without what the host had answered.
    fn without_values(self, reason: &str) -> String {
        let expected = reason.split_once(", expected ").map(|(_, expected)| expected);
        let known = ["missing field", "unknown field", "duplicate field"];
        let known = known.iter().find(|known| reason.starts_with(**known));
        match (known, expected) {
            // Here the expected are names.
            (Some(known), Some(expected)) => {
                format!("{known}, expected {}", (self.spell)(expected))
            }
            (Some(known), None) => (*known).to_owned(),
            (None, Some(expected)) => format!("expected {expected}"),
            (None, None) => "no such value".to_owned(),
        }
    }
}
