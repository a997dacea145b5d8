//! Hosts as a binding makes them of a host's objects, each with the core's own adapter behind it.

pub mod blobs;
pub mod bus;
pub mod carrier;

use std::collections::BTreeMap;

use crm_core::Error;
use crm_embed::ports::{Arguments, HostError, HostValue};

/// What an object's method was called with.
pub struct Given(BTreeMap<String, HostValue>);

impl Given {
    pub fn new(arguments: Arguments) -> Self {
        Given(arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub fn take(&mut self, name: &str) -> HostValue {
        self.0.remove(name).unwrap_or_else(|| panic!("`{name}` is not given"))
    }

    pub fn text(&mut self, name: &str) -> String {
        self.maybe_text(name).unwrap()
    }

    pub fn maybe_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            HostValue::Text(text) => Some(text),
            HostValue::Null => None,
            other => panic!("`{name}` is {other:?}"),
        }
    }

    pub fn integer(&mut self, name: &str) -> Option<u64> {
        match self.take(name) {
            HostValue::Integer(number) => Some(number.try_into().unwrap()),
            HostValue::Null => None,
            other => panic!("`{name}` is {other:?}"),
        }
    }

    pub fn truth(&mut self, name: &str) -> bool {
        match self.take(name) {
            HostValue::Bool(value) => value,
            other => panic!("`{name}` is {other:?}"),
        }
    }

    pub fn fields(&mut self, name: &str) -> Given {
        fields(self.take(name))
    }

    pub fn list(&mut self, name: &str) -> Vec<HostValue> {
        match self.take(name) {
            HostValue::List(members) => members,
            other => panic!("`{name}` is {other:?}"),
        }
    }

    /// Nothing was given that was not taken.
    pub fn done(self) {
        assert!(self.0.is_empty(), "{:?} are given, too", self.0.keys());
    }
}

pub fn fields(value: HostValue) -> Given {
    match value {
        HostValue::Object(fields) => Given(fields),
        other => panic!("{other:?} has no fields"),
    }
}

pub fn object<const N: usize>(fields: [(&str, HostValue); N]) -> HostValue {
    HostValue::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

/// JSON as an object of the host's.
pub fn of_json(json: serde_json::Value) -> HostValue {
    use serde_json::Value;
    match json {
        Value::Null => HostValue::Null,
        Value::Bool(value) => HostValue::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => HostValue::Integer(whole),
            None => HostValue::Number(number.as_f64().unwrap()),
        },
        Value::String(text) => HostValue::Text(text),
        Value::Array(members) => HostValue::List(members.into_iter().map(of_json).collect()),
        Value::Object(fields) => HostValue::Object(
            fields.into_iter().map(|(name, value)| (name, of_json(value))).collect(),
        ),
    }
}

/// The CRM's own error, raised by a host.
pub fn raise(error: Error) -> HostError {
    HostError::from(&error).caused_by(error)
}

pub fn no_method(method: &str) -> HostError {
    HostError::new(format!("there is no method {method}"))
}
