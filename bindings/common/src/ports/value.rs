//! What passes between the CRM and a host's object.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use crm_core::Timestamp;
use futures::stream::BoxStream;

use super::host::HostError;

/// What an asynchronous iterator gives, one item at a time. Dropping it ends the iteration.
pub type HostStream = BoxStream<'static, Result<HostValue, HostError>>;

/// The arguments of a call, by name in snake_case, in the order of the contract.
pub type Arguments = Vec<(&'static str, HostValue)>;

/// A value that is handed to a host's object, or comes from it.
///
/// A binding turns each into what its language has for it, and back: [`HostValue::Time`] is a `datetime` with a
/// time zone or a `Date`, [`HostValue::Bytes`] are `bytes` or a `Buffer`.
pub enum HostValue {
    /// `None`, `null`, `undefined`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(String),
    /// Bytes as they are.
    Bytes(Bytes),
    /// A point in time.
    Time(Timestamp),
    /// A list, or a tuple.
    List(Vec<HostValue>),
    /// Fields by name, in snake_case here and in the language's own notation there.
    Object(BTreeMap<String, HostValue>),
    /// Texts by names that are data and are left as they are. Only handed to hosts.
    Map(BTreeMap<String, String>),
    /// A record that operations answer with, too: the name of its shape in `surface.json`, and itself. Only
    /// handed to hosts.
    Record(&'static str, serde_json::Value),
    /// What an asynchronous iterator gives, pulled as it is needed. From a host: any object that can be
    /// iterated over asynchronously, and any iterator (not a list).
    Stream(HostStream),
    /// Something from the host that is none of these, in words: `a datetime without a time zone`.
    Unreadable(String),
}

impl HostValue {
    /// What it is, for people.
    pub(super) fn what(&self) -> &str {
        match self {
            HostValue::Null => "nothing",
            HostValue::Bool(_) => "a truth value",
            HostValue::Integer(_) | HostValue::Number(_) => "a number",
            HostValue::Text(_) => "text",
            HostValue::Bytes(_) => "bytes",
            HostValue::Time(_) => "a time",
            HostValue::List(_) => "a list",
            HostValue::Object(_) | HostValue::Map(_) | HostValue::Record(..) => "an object",
            HostValue::Stream(_) => "an iterator",
            HostValue::Unreadable(what) => what,
        }
    }
}

impl fmt::Debug for HostValue {
    /// What it is, not what it says: secrets of accounts are among the arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl From<bool> for HostValue {
    fn from(value: bool) -> Self {
        HostValue::Bool(value)
    }
}

impl From<u32> for HostValue {
    fn from(value: u32) -> Self {
        HostValue::Integer(value.into())
    }
}

impl From<&str> for HostValue {
    fn from(value: &str) -> Self {
        HostValue::Text(value.to_owned())
    }
}

impl From<String> for HostValue {
    fn from(value: String) -> Self {
        HostValue::Text(value)
    }
}

impl From<Timestamp> for HostValue {
    fn from(value: Timestamp) -> Self {
        HostValue::Time(value)
    }
}

impl From<Bytes> for HostValue {
    fn from(value: Bytes) -> Self {
        HostValue::Bytes(value)
    }
}

impl<T: Into<HostValue>> From<Option<T>> for HostValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(HostValue::Null, Into::into)
    }
}

impl<T: Into<HostValue>> From<Vec<T>> for HostValue {
    fn from(values: Vec<T>) -> Self {
        HostValue::List(values.into_iter().map(Into::into).collect())
    }
}

/// Fields by name.
pub(super) fn object<const N: usize>(fields: [(&str, HostValue); N]) -> HostValue {
    HostValue::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
}
