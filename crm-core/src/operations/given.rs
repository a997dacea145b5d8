//! What a caller in another language gives.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Id, IdKind};
use crate::identity::Secret;
use crate::tenancy::Slug;

/// The arguments of an operation by their names; nothing is trusted yet.
#[derive(Debug, Clone, Default)]
pub struct Given(Map<String, Value>);

impl From<Map<String, Value>> for Given {
    fn from(given: Map<String, Value>) -> Self {
        Given(given)
    }
}

impl TryFrom<Value> for Given {
    type Error = Error;

    /// # Errors
    ///
    /// `malformed` where it is no object.
    fn try_from(given: Value) -> Result<Self> {
        match given {
            Value::Object(given) => Ok(Given(given)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                Err(Error::new(ErrorKind::Malformed, "arguments are given by their names"))
            }
        }
    }
}

impl Given {
    pub(super) fn argument<T: Argument>(&mut self, name: &'static str) -> Result<T> {
        T::read(name, self.0.remove(name).unwrap_or_default())
    }

    /// What is left, as the fields of a value.
    pub(super) fn value<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.rest(Error::refused_value)
    }

    /// What is left, as filters and orders of a list.
    pub(super) fn choice<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.rest(Error::refused_parameter)
    }

    fn rest<T: DeserializeOwned>(&mut self, refused: fn(&str, &str) -> Error) -> Result<T> {
        let rest = Value::Object(std::mem::take(&mut self.0));
        serde_path_to_error::deserialize(rest).map_err(|error| {
            let path = error.path().to_string();
            refused(&path, &error.into_inner().to_string())
        })
    }

    pub(super) fn nothing_else(&self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Error::invalid_field(name, "unknown_field", format!("unknown field `{name}`")))
            }
        }
    }
}

/// A value that an operation takes by itself.
pub trait Argument: JsonSchema + Sized {
    /// Whether it has to be given.
    const REQUIRED: bool = true;

    /// Reads it; what was not given is `null`.
    ///
    /// # Errors
    ///
    /// `invalid`, naming the argument; `not_found` for text that is no id.
    fn read(name: &'static str, given: Value) -> Result<Self>;
}

fn read<T: DeserializeOwned>(name: &'static str, given: Value) -> Result<T> {
    if given.is_null() {
        return Err(Error::invalid_field(name, "required", format!("`{name}` is missing")));
    }
    serde_path_to_error::deserialize(given).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => name.to_owned(),
            within if within.starts_with('[') => format!("{name}{within}"),
            within => format!("{name}.{within}"),
        };
        Error::refused_value(&path, &error.into_inner().to_string())
    })
}

impl<K: IdKind> Argument for Id<K> {
    /// Text that is no id names no record, as in an address.
    fn read(name: &'static str, given: Value) -> Result<Self> {
        match given.as_str() {
            Some(text) => text.parse().map_err(|_| Error::not_found(K::NAME)),
            None => read(name, given),
        }
    }
}

impl Argument for Option<i64> {
    const REQUIRED: bool = false;

    fn read(name: &'static str, given: Value) -> Result<Self> {
        if given.is_null() { Ok(None) } else { read(name, given).map(Some) }
    }
}

impl Argument for Option<Secret> {
    const REQUIRED: bool = false;

    fn read(name: &'static str, given: Value) -> Result<Self> {
        if given.is_null() { Ok(None) } else { read(name, given).map(Some) }
    }
}

impl Argument for Secret {
    fn read(name: &'static str, given: Value) -> Result<Self> {
        read(name, given)
    }
}

impl Argument for Slug {
    fn read(name: &'static str, given: Value) -> Result<Self> {
        read(name, given)
    }
}

impl<T: DeserializeOwned + JsonSchema> Argument for Vec<T> {
    fn read(name: &'static str, given: Value) -> Result<Self> {
        read(name, given)
    }
}
