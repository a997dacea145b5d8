//! Writes a reply as Python's objects, guided by its shape.

use std::fmt;

use chrono::{DateTime, Datelike, Timelike, Utc};
use crm_core::operations::Reply;
use pyo3::BoundObject;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use uuid::Uuid;

use crate::record;
use crate::shape::{RecordShape, Shape};

/// `reply` as an object of this shape.
pub(crate) fn object<'py>(
    py: Python<'py>,
    reply: &dyn Reply,
    shape: &Shape,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(reply.serialize(Writer { py, shape, bare: false })?)
}

/// The fields of `reply` by their attributes.
pub(crate) fn fields<'py>(
    py: Python<'py>,
    reply: &dyn Reply,
    shape: &std::sync::Arc<RecordShape>,
) -> PyResult<Bound<'py, PyDict>> {
    let shape = Shape::Record(std::sync::Arc::clone(shape));
    let fields = reply.serialize(Writer { py, shape: &shape, bare: true })?;
    Ok(fields.cast_into::<PyDict>()?)
}

/// An exception on its way through serde.
#[derive(Debug)]
struct Failed(PyErr);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

impl serde::ser::Error for Failed {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Failed(PyValueError::new_err(said.to_string()))
    }
}

impl From<PyErr> for Failed {
    fn from(error: PyErr) -> Self {
        Failed(error)
    }
}

impl From<Failed> for PyErr {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}

type Written<'py> = Result<Bound<'py, PyAny>, Failed>;

#[derive(Clone, Copy)]
struct Writer<'a, 'py> {
    py: Python<'py>,
    shape: &'a Shape,
    /// Whether a record's fields are wanted, and not the record.
    bare: bool,
}

impl<'a, 'py> Writer<'a, 'py> {
    fn of<'b>(self, shape: &'b Shape) -> Writer<'b, 'py> {
        Writer { py: self.py, shape, bare: false }
    }

    fn from<T: IntoPyObject<'py>>(self, value: T) -> Written<'py> {
        let object = value.into_pyobject(self.py).map_err(Into::into).map_err(Failed)?;
        Ok(object.into_bound().into_any())
    }

    fn list(self) -> List<'a, 'py> {
        let (item, tuple) = match self.shape {
            Shape::Array(item) => (&**item, true),
            Shape::Plain | Shape::Uuid | Shape::Time | Shape::Map(_) | Shape::Record(_) => {
                (&Shape::Plain, false)
            }
        };
        List { writer: self, item, tuple, items: Vec::new() }
    }

    fn pairs(self) -> Pairs<'a, 'py> {
        Pairs { writer: self, dict: PyDict::new(self.py), key: None, seen: 0 }
    }

    fn text(self, text: &str) -> Written<'py> {
        match self.shape {
            Shape::Uuid => match Uuid::try_parse(text) {
                Ok(id) => Ok(uuid_object(self.py, id)?),
                Err(_) => self.from(text),
            },
            Shape::Time => Ok(time_object(self.py, text)?),
            Shape::Plain | Shape::Array(_) | Shape::Map(_) | Shape::Record(_) => self.from(text),
        }
    }
}

/// `uuid.UUID`, made without its constructor's checks, which cost more than the rest of a call.
pub(crate) fn uuid_object(py: Python<'_>, id: Uuid) -> PyResult<Bound<'_, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MAKE.import(py, "crm_core._unset", "uuid_of")?.call1((id.as_u128(),))
}

/// The `datetime` that RFC 3339 writes so.
pub(crate) fn time_object<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let at: crm_core::Timestamp =
        text.parse().map_err(|_| PyValueError::new_err(format!("`{text}` is no time")))?;
    let at = DateTime::<Utc>::from(at);
    let utc = UTC.get_or_try_init(py, || {
        py.import("datetime")?.getattr("timezone")?.getattr("utc").map(Bound::unbind)
    })?;
    DATETIME.import(py, "datetime", "datetime")?.call1((
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.timestamp_subsec_micros(),
        utc,
    ))
}

macro_rules! plainly {
    ($($name:ident: $ty:ty),*) => {
        $(fn $name(self, value: $ty) -> Written<'py> { self.from(value) })*
    };
}

impl<'a, 'py> Serializer for Writer<'a, 'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Failed;
    type SerializeSeq = List<'a, 'py>;
    type SerializeTuple = List<'a, 'py>;
    type SerializeTupleStruct = List<'a, 'py>;
    type SerializeTupleVariant = List<'a, 'py>;
    type SerializeMap = Pairs<'a, 'py>;
    type SerializeStruct = Pairs<'a, 'py>;
    type SerializeStructVariant = Pairs<'a, 'py>;

    plainly! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f64: f64,
        serialize_char: char
    }

    fn serialize_f32(self, value: f32) -> Written<'py> {
        // As it is written: 0.7, and not 0.699999988079071.
        self.from(value.to_string().parse::<f64>().unwrap_or_else(|_| f64::from(value)))
    }

    fn serialize_str(self, text: &str) -> Written<'py> {
        self.text(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Written<'py> {
        self.from(bytes)
    }

    fn serialize_none(self) -> Written<'py> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written<'py> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written<'py> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written<'py> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Written<'py> {
        Ok(PyString::intern(self.py, name).into_any())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written<'py> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Written<'py> {
        let mut pairs = self.pairs();
        pairs.put(name, value)?;
        pairs.done()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a, 'py>, Failed> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a, 'py>, Failed> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a, 'py>, Failed> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<List<'a, 'py>, Failed> {
        Ok(self.list())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Pairs<'a, 'py>, Failed> {
        Ok(self.pairs())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Pairs<'a, 'py>, Failed> {
        Ok(self.pairs())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Pairs<'a, 'py>, Failed> {
        Ok(self.pairs())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Written<'py> {
        self.text(&value.to_string())
    }
}

/// A tuple, or a list within what has no shape.
struct List<'a, 'py> {
    writer: Writer<'a, 'py>,
    item: &'a Shape,
    tuple: bool,
    items: Vec<Bound<'py, PyAny>>,
}

impl<'py> List<'_, 'py> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.items.push(value.serialize(self.writer.of(self.item))?);
        Ok(())
    }

    fn done(self) -> Written<'py> {
        let py = self.writer.py;
        Ok(if self.tuple {
            PyTuple::new(py, self.items)?.into_any()
        } else {
            PyList::new(py, self.items)?.into_any()
        })
    }
}

macro_rules! list {
    ($($part:ident.$method:ident),*) => {
        $(impl<'py> $part for List<'_, 'py> {
            type Ok = Bound<'py, PyAny>;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.put(value)
            }

            fn end(self) -> Written<'py> {
                self.done()
            }
        })*
    };
}

list! {
    SerializeSeq.serialize_element, SerializeTuple.serialize_element,
    SerializeTupleStruct.serialize_field, SerializeTupleVariant.serialize_field
}

/// A record or a dict.
struct Pairs<'a, 'py> {
    writer: Writer<'a, 'py>,
    dict: Bound<'py, PyDict>,
    key: Option<String>,
    seen: usize,
}

impl<'py> Pairs<'_, 'py> {
    fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Failed> {
        let plain = &Shape::Plain;
        match self.writer.shape {
            Shape::Record(record) => match record.field(key) {
                Some(field) => {
                    let value = value.serialize(self.writer.of(&field.shape))?;
                    self.seen += 1;
                    self.dict.set_item(field.name.bind(self.writer.py), value)?;
                }
                None => self.dict.set_item(key, value.serialize(self.writer.of(plain))?)?,
            },
            Shape::Map(shape) => {
                self.dict.set_item(key, value.serialize(self.writer.of(shape))?)?;
            }
            Shape::Plain | Shape::Uuid | Shape::Time | Shape::Array(_) => {
                self.dict.set_item(key, value.serialize(self.writer.of(plain))?)?;
            }
        }
        Ok(())
    }

    fn done(self) -> Written<'py> {
        let py = self.writer.py;
        let Shape::Record(record) = self.writer.shape else { return Ok(self.dict.into_any()) };
        if self.seen < record.fields() {
            // What is left out where there is nothing to say is None.
            for name in record.names() {
                if !self.dict.contains(name.bind(py))? {
                    self.dict.set_item(name.bind(py), py.None())?;
                }
            }
        }
        if self.writer.bare {
            return Ok(self.dict.into_any());
        }
        Ok(record::of_values(record.class.bind(py), &self.dict)?)
    }
}

impl<'py> SerializeMap for Pairs<'_, 'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        let key = key.serialize(self.writer.of(&Shape::Plain))?;
        self.key = Some(key.str()?.to_str()?.to_owned());
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = self.key.take().unwrap_or_default();
        self.put(&key, value)
    }

    fn end(self) -> Written<'py> {
        self.done()
    }
}

macro_rules! pairs {
    ($($part:ident),*) => {
        $(impl<'py> $part for Pairs<'_, 'py> {
            type Ok = Bound<'py, PyAny>;
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.put(key, value)
            }

            fn end(self) -> Written<'py> {
                self.done()
            }
        })*
    };
}

pairs! { SerializeStruct, SerializeStructVariant }
