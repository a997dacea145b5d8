//! Values on their way to a host's object and back, and what it raises.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use crm_core::FieldError;
use crm_core::identity::User;
use crm_core::notifications::Notification;
use crm_core::operations::{Reply, shape_of};
use crm_embed::ports::{HostError, HostValue};
use pyo3::exceptions::{PyConnectionError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView,
    PyString, PyTuple,
};
use serde_json::Value;

use super::Place;
use super::streams::{self, Chunks};
use crate::record;
use crate::reply::time_object;
use crate::shape::{self, Shape};

/// Deeper than anything that a port answers.
const DEEPEST: usize = 16;

/// A value for a host's method.
pub(super) fn given<'py>(
    py: Python<'py>,
    value: HostValue,
    place: &Arc<Place>,
) -> PyResult<Bound<'py, PyAny>> {
    let each = |value| given(py, value, place);
    match value {
        HostValue::List(members) => {
            let members: Vec<_> = members.into_iter().map(each).collect::<PyResult<_>>()?;
            Ok(PyList::new(py, members)?.into_any())
        }
        HostValue::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, field) in fields {
                dict.set_item(name, each(field)?)?;
            }
            Ok(dict.into_any())
        }
        HostValue::Stream(stream) => {
            Ok(Bound::new(py, Chunks::new(stream, place.handle.clone()))?.into_any())
        }
        HostValue::Null
        | HostValue::Bool(_)
        | HostValue::Integer(_)
        | HostValue::Number(_)
        | HostValue::Text(_)
        | HostValue::Bytes(_)
        | HostValue::Time(_)
        | HostValue::Map(_)
        | HostValue::Record(..)
        | HostValue::Unreadable(_) => plain(py, value),
    }
}

/// A value that holds no other that is handed on.
pub(super) fn plain(py: Python<'_>, value: HostValue) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        HostValue::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        HostValue::Integer(value) => value.into_pyobject(py)?.into_any(),
        HostValue::Number(value) => value.into_pyobject(py)?.into_any(),
        HostValue::Text(text) => text.into_pyobject(py)?.into_any(),
        HostValue::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
        HostValue::Time(time) => time_object(py, &time.to_string())?,
        HostValue::Map(texts) => texts.into_pyobject(py)?.into_any(),
        HostValue::Record(shape, value) => record_of(py, shape, value)?,
        HostValue::Null
        | HostValue::List(_)
        | HostValue::Object(_)
        | HostValue::Stream(_)
        | HostValue::Unreadable(_) => py.None().into_bound(py),
    })
}

fn record_of<'py>(py: Python<'py>, name: &str, value: Value) -> PyResult<Bound<'py, PyAny>> {
    static NOTIFICATION: OnceLock<Shape> = OnceLock::new();
    static USER: OnceLock<Shape> = OnceLock::new();
    let (cell, schema): (_, fn() -> Value) = match name {
        "Notification" => (&NOTIFICATION, shape_of::<Notification>),
        _ => (&USER, shape_of::<User>),
    };
    let reply: Box<dyn Reply> = Box::new(value);
    if let Some(shape) = cell.get() {
        return record::of_reply(py, reply, shape);
    }
    let shape = shape::read(py, &schema())?;
    record::of_reply(py, reply, cell.get_or_init(|| shape))
}

/// What a host's method has answered.
pub(super) fn answered(value: &Bound<'_, PyAny>, place: &Arc<Place>) -> HostValue {
    read(value, place, 0).unwrap_or_else(|error| {
        HostValue::Unreadable(format!("something that cannot be read: {error}"))
    })
}

fn read(value: &Bound<'_, PyAny>, place: &Arc<Place>, depth: usize) -> PyResult<HostValue> {
    static ENUM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    if value.is_none() {
        return Ok(HostValue::Null);
    }
    if depth > DEEPEST {
        return Ok(HostValue::Unreadable("a value that is too deep".to_owned()));
    }
    // Before text and numbers: a member of an enumeration is often one of them, too.
    if value.is_instance(ENUM.import(py, "enum", "Enum")?)? {
        return read(&value.getattr(pyo3::intern!(py, "value"))?, place, depth + 1);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(HostValue::Text(text.to_str()?.to_owned()));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(HostValue::Bool(truth.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let number = value.extract().map(HostValue::Integer);
        let large = |_| HostValue::Unreadable("a number of more than 64 bits".to_owned());
        return Ok(number.unwrap_or_else(large));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(HostValue::Number(number.value()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(HostValue::Bytes(Bytes::copy_from_slice(bytes.as_bytes())));
    }
    if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
        return read(&py.get_type::<PyBytes>().call1((value,))?, place, depth);
    }
    if let Ok(fields) = value.cast::<PyDict>() {
        return object(fields.items(), place, depth);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let members = value.try_iter()?.map(|member| read(&member?, place, depth + 1));
        return members.collect::<PyResult<_>>().map(HostValue::List);
    }
    rare(value, place, depth)
}

fn rare(value: &Bound<'_, PyAny>, place: &Arc<Place>, depth: usize) -> PyResult<HostValue> {
    static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    if value.is_instance(DATETIME.import(py, "datetime", "datetime")?)? {
        return time(value);
    }
    if value.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        return Ok(HostValue::Text(value.str()?.to_str()?.to_owned()));
    }
    if let Ok(fields) = value.cast::<PyMapping>() {
        return object(fields.items()?, place, depth);
    }
    let has = |name: &str| value.hasattr(name);
    if has("__anext__")? || has("__aiter__")? {
        return streams::read(value, true, place).map(HostValue::Stream);
    }
    if has("__next__")? {
        return streams::read(value, false, place).map(HostValue::Stream);
    }
    Ok(HostValue::Unreadable(format!("an object of type `{}`", value.get_type().name()?)))
}

fn object(fields: Bound<'_, PyList>, place: &Arc<Place>, depth: usize) -> PyResult<HostValue> {
    let mut known = BTreeMap::new();
    for pair in fields {
        let (name, field): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
        let Ok(name) = name.cast::<PyString>() else {
            return Ok(HostValue::Unreadable("a dict whose keys are not all text".to_owned()));
        };
        known.insert(name.to_str()?.to_owned(), read(&field, place, depth + 1)?);
    }
    Ok(HostValue::Object(known))
}

fn time(value: &Bound<'_, PyAny>) -> PyResult<HostValue> {
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    if value.call_method0(pyo3::intern!(py, "utcoffset"))?.is_none() {
        return Ok(HostValue::Unreadable("a datetime without a time zone".to_owned()));
    }
    // An offset may have seconds, which RFC 3339 has not.
    let utc = UTC.get_or_try_init(py, || {
        py.import("datetime")?.getattr("timezone")?.getattr("utc").map(Bound::unbind)
    })?;
    let at = value.call_method1(pyo3::intern!(py, "astimezone"), (utc,))?;
    let text = at.call_method0(pyo3::intern!(py, "isoformat"))?;
    let read = text.cast::<PyString>()?.to_str()?.parse().map(HostValue::Time);
    Ok(read.unwrap_or_else(|_| HostValue::Unreadable("a time out of range".to_owned())))
}

/// What a host has raised. The very exception is the cause.
pub(super) fn raised(py: Python<'_>, error: PyErr) -> HostError {
    let told = own(error.value(py).as_any()).ok().flatten();
    let told = told.unwrap_or_else(|| HostError {
        retryable: error.is_instance_of::<PyTimeoutError>(py)
            || error.is_instance_of::<PyConnectionError>(py)
            || is_interrupted(py, &error),
        ..HostError::new(error.to_string())
    });
    told.caused_by(error)
}

/// What one of the CRM's own errors says.
fn own(raised: &Bound<'_, PyAny>) -> PyResult<Option<HostError>> {
    static CRM_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = raised.py();
    if !raised.is_instance(CRM_ERROR.import(py, "crm_core._errors", "CrmError")?)? {
        return Ok(None);
    }
    let fields: Vec<(String, String, String)> = raised.getattr("fields")?.extract()?;
    let fields = fields.into_iter();
    let fields = fields.map(|(field, code, message)| FieldError::new(field, code, message));
    let retry_after: Option<f64> = raised.getattr("retry_after")?.extract()?;
    Ok(Some(HostError {
        fields: fields.collect(),
        retryable: raised.getattr("retryable")?.is_truthy()?,
        retry_after: retry_after.and_then(|wait| Duration::try_from_secs_f64(wait).ok()),
        ..HostError::coded(
            raised.getattr("code")?.extract::<String>()?,
            raised.getattr("message")?.extract::<String>()?,
        )
    }))
}

/// What asyncio raises for a time-out before Python 3.11, and for what was cancelled with its loop.
fn is_interrupted(py: Python<'_>, error: &PyErr) -> bool {
    static INTERRUPTED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let kinds = INTERRUPTED.import(py, "crm_core._ports", "INTERRUPTED");
    kinds.is_ok_and(|kinds| error.matches(py, kinds).unwrap_or(false))
}
