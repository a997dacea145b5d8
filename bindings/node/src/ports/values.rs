//! Values on their way to a host's object and back, and what it raises, as JSON that `src-ts/ports.ts` reads and
//! writes: what JSON has not is an object with one key, which says what it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crm_core::{Error, ErrorKind, FieldError, Result};
use crm_embed::ports::{Arguments, HostError, HostStream, HostValue, camel_case};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use napi::bindgen_prelude::Buffer;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Desk, pulled};

/// What stands beside the JSON: bytes and iterators, by their numbers.
#[derive(Default)]
pub(super) struct Side {
    bytes: Vec<Bytes>,
    streams: Mutex<Vec<Option<HostStream>>>,
}

impl Side {
    pub(super) fn bytes(&self, at: u32) -> Vec<u8> {
        let found = usize::try_from(at).ok().and_then(|at| self.bytes.get(at));
        found.map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    pub(super) fn pieces(&mut self, at: u32) -> Option<BoxStream<'static, Result<Vec<u8>>>> {
        let streams = self.streams.get_mut().unwrap_or_else(PoisonError::into_inner);
        let found = usize::try_from(at).ok().and_then(|at| streams.get_mut(at))?;
        Some(
            found
                .take()?
                .map(|piece| piece.map_err(|error| of_piece(&error)).map(bytes_of))
                .boxed(),
        )
    }
}

fn bytes_of(piece: HostValue) -> Vec<u8> {
    if let HostValue::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() }
}

fn of_piece(error: &HostError) -> Error {
    let code = error.code.as_deref().unwrap_or_default();
    let kind = ErrorKind::ALL.iter().copied().find(|kind| kind.code() == code);
    Error::new(kind.unwrap_or(ErrorKind::Internal), error.message.clone())
}

/// The arguments of a method, as one object.
pub(super) fn given(arguments: Arguments) -> (String, Side) {
    let mut side = Side::default();
    let fields =
        arguments.into_iter().map(|(name, value)| (camel_case(name), written(value, &mut side)));
    let fields: Map<String, Value> = fields.collect();
    (Value::Object(fields).to_string(), side)
}

fn written(value: HostValue, side: &mut Side) -> Value {
    match value {
        HostValue::Null | HostValue::Unreadable(_) => Value::Null,
        HostValue::Bool(value) => value.into(),
        HostValue::Integer(value) => value.into(),
        HostValue::Number(value) => value.into(),
        HostValue::Text(text) => text.into(),
        HostValue::Time(time) => json!({ "time": time.to_string() }),
        HostValue::Map(texts) => json!({ "map": texts }),
        HostValue::Record(shape, record) => json!({ "record": [shape, record] }),
        HostValue::List(members) => {
            members.into_iter().map(|member| written(member, side)).collect()
        }
        HostValue::Object(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, field)| (camel_case(&name), written(field, side)));
            json!({ "object": fields.collect::<Map<_, _>>() })
        }
        HostValue::Bytes(bytes) => {
            side.bytes.push(bytes);
            json!({ "bytes": side.bytes.len() - 1 })
        }
        HostValue::Stream(stream) => {
            let streams = side.streams.get_mut().unwrap_or_else(PoisonError::into_inner);
            streams.push(Some(stream));
            json!({ "iterator": streams.len() - 1 })
        }
    }
}

/// What a method has answered.
pub(super) fn answered(text: &str, bytes: &[Buffer], desk: &Arc<Desk>) -> HostValue {
    match serde_json::from_str(text) {
        Ok(value) => read(value, bytes, desk),
        Err(_) => unreadable("something that cannot be read"),
    }
}

fn unreadable(what: &str) -> HostValue {
    HostValue::Unreadable(what.to_owned())
}

fn read(value: Value, bytes: &[Buffer], desk: &Arc<Desk>) -> HostValue {
    match value {
        Value::Null => HostValue::Null,
        Value::Bool(value) => HostValue::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => HostValue::Integer(whole),
            (None, Some(number)) => HostValue::Number(number),
            (None, None) => unreadable("a number that is too large"),
        },
        Value::String(text) => HostValue::Text(text),
        Value::Array(members) => {
            HostValue::List(members.into_iter().map(|member| read(member, bytes, desk)).collect())
        }
        Value::Object(tagged) => match tagged.into_iter().next() {
            Some((tag, value)) => of_tag(&tag, value, bytes, desk),
            None => unreadable("something that cannot be read"),
        },
    }
}

fn of_tag(tag: &str, value: Value, bytes: &[Buffer], desk: &Arc<Desk>) -> HostValue {
    match (tag, value) {
        ("object", Value::Object(fields)) => object(fields, bytes, desk),
        ("time", Value::String(text)) => match text.parse() {
            Ok(time) => HostValue::Time(time),
            Err(_) => unreadable("a time out of range"),
        },
        ("bytes", Value::Number(at)) => {
            let at = at.as_u64().and_then(|at| usize::try_from(at).ok());
            match at.and_then(|at| bytes.get(at)) {
                Some(found) => HostValue::Bytes(Bytes::copy_from_slice(found)),
                None => unreadable("bytes that are not there"),
            }
        }
        ("iterator", Value::Number(number)) => {
            match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(number) => HostValue::Stream(pulled(number, desk)),
                None => unreadable("an iterator that is not there"),
            }
        }
        ("unreadable", Value::String(what)) => HostValue::Unreadable(what),
        _ => unreadable("something that cannot be read"),
    }
}

fn object(fields: Map<String, Value>, bytes: &[Buffer], desk: &Arc<Desk>) -> HostValue {
    if let Some(name) = fields.keys().find(|name| name.contains('_')) {
        return unreadable(&format!("an object with `{name}`, whose name is not in camelCase,"));
    }
    let fields = fields.into_iter();
    HostValue::Object(
        fields.map(|(name, field)| (snake_case(&name), read(field, bytes, desk))).collect(),
    )
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// What was raised: the number under which the TypeScript keeps the very object.
#[derive(Debug)]
pub(crate) struct Raised {
    pub(crate) number: u32,
    message: String,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Raised {}

/// What a method raised, as the TypeScript tells it.
#[derive(Deserialize)]
struct Told {
    message: String,
    code: Option<String>,
    #[serde(default)]
    retryable: bool,
    #[serde(default)]
    fields: Vec<ToldField>,
    retry_after: Option<f64>,
    number: Option<u32>,
}

#[derive(Deserialize)]
struct ToldField {
    field: String,
    code: String,
    message: String,
}

pub(super) fn raised(text: &str) -> HostError {
    let Ok(told) = serde_json::from_str::<Told>(text) else {
        return HostError::new("something was raised that cannot be read");
    };
    let fields = told.fields.into_iter();
    let error = HostError {
        code: told.code,
        retryable: told.retryable,
        fields: fields
            .map(|one| FieldError::new(snake_case(&one.field), one.code, one.message))
            .collect(),
        retry_after: told.retry_after.and_then(|wait| Duration::try_from_secs_f64(wait).ok()),
        ..HostError::new(told.message.clone())
    };
    match told.number {
        Some(number) => error.caused_by(Raised { number, message: told.message }),
        None => error,
    }
}
