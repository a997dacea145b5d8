//! What Python gives, as the values that the core reads.

use crm_core::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::errors;

/// Deeper than anything that the core reads.
const DEEPEST: usize = 32;

/// A value that is none of JSON, and where it stands.
pub(crate) struct Refused(Box<Reason>);

struct Reason {
    path: String,
    code: &'static str,
    message: String,
    cause: Option<PyErr>,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Refused(Box::new(Reason { path: String::new(), code, message, cause: None }))
    }

    fn by(mut self, cause: PyErr) -> Self {
        self.0.cause = Some(cause);
        self
    }

    pub(crate) fn within(mut self, place: &str) -> Self {
        let path = &self.0.path;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        self.0.path = format!("{place}{dot}{path}");
        self
    }

    pub(crate) fn raised(self, py: Python<'_>, operation: &'static str) -> PyErr {
        let Reason { path, code, message, cause } = *self.0;
        let error: Error = errors::refused(&path, code, message);
        let raised = errors::raised(py, &error.in_operation(operation));
        raised.set_cause(py, cause);
        raised
    }
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Refused::new("invalid_value", "the value cannot be read").by(error)
    }
}

pub(crate) type Read<T> = Result<T, Refused>;

/// All arguments by name. What is UNSET is not given, nor is None, unless it clears.
pub(crate) fn read(given: &Bound<'_, PyDict>, none_clears: bool) -> Read<Map<String, Value>> {
    let mut read = Map::with_capacity(given.len());
    let unset = known(given.py(), &UNSET, "crm_core._unset", "UNSET")?;
    for (name, value) in given.iter() {
        if value.is(unset) || (value.is_none() && !none_clears) {
            continue;
        }
        let name = text(&name)?;
        let value = any(&value, 0).map_err(|refused| refused.within(&name))?;
        read.insert(name, value);
    }
    Ok(read)
}

static UNSET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ENUM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static MAPPING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RECORD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn known<'a, 'py>(
    py: Python<'py>,
    cell: &'a PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<&'a Bound<'py, PyAny>> {
    cell.import(py, module, name)
}

fn any(value: &Bound<'_, PyAny>, depth: usize) -> Read<Value> {
    let py = value.py();
    if value.is_exact_instance_of::<PyString>() {
        return text(value).map(Value::String);
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    let uuid = known(py, &UUID, "uuid", "UUID")?;
    if value.get_type().is(uuid) {
        return uuid_text(value).map(Value::String);
    }
    if depth > DEEPEST {
        return Err(Refused::new("too_deep", format!("the value is deeper than {DEEPEST}")));
    }
    // Before text and numbers: a member of an enumeration is often one of them, too.
    if value.is_instance(known(py, &ENUM, "enum", "Enum")?)? {
        return any(&value.getattr(pyo3::intern!(py, "value"))?, depth + 1);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return whole(value);
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Number::from_f64(value.value())
            .map(Value::Number)
            .ok_or_else(|| Refused::new("invalid_number", "the number is not finite"));
    }
    if value.is_instance_of::<PyString>() {
        return text(value).map(Value::String);
    }
    if let Ok(values) = value.cast::<PyDict>() {
        return object(values.iter().map(Ok), depth);
    }
    if let Ok(values) = value.cast::<PyList>() {
        return array(values.iter().map(Ok), depth);
    }
    if let Ok(values) = value.cast::<PyTuple>() {
        return array(values.iter().map(Ok), depth);
    }
    rare(value, depth)
}

fn rare(value: &Bound<'_, PyAny>, depth: usize) -> Read<Value> {
    let py = value.py();
    if value.is_instance(known(py, &DATETIME, "datetime", "datetime")?)? {
        return time(value);
    }
    if value.is_instance(known(py, &UUID, "uuid", "UUID")?)? {
        return uuid_text(value).map(Value::String);
    }
    if value.is_instance(known(py, &RECORD, "crm_core._records", "Record")?)? {
        return any(&value.call_method0(pyo3::intern!(py, "to_dict"))?, depth);
    }
    if value.is_instance(known(py, &MAPPING, "collections.abc", "Mapping")?)? {
        let pairs = value.call_method0(pyo3::intern!(py, "items"))?.try_iter()?;
        return object(pairs.map(|pair| pair?.extract()), depth);
    }
    static LISTED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let sets = value.is_instance_of::<pyo3::types::PySet>()
        || value.is_instance_of::<pyo3::types::PyFrozenSet>();
    let bytes = value.is_instance_of::<pyo3::types::PyBytes>()
        || value.is_instance_of::<pyo3::types::PyByteArray>();
    let listed = value.is_instance(known(py, &LISTED, "collections.abc", "Sequence")?)?;
    if !bytes && (sets || listed) {
        return array(value.try_iter()?, depth);
    }
    let class = value.get_type();
    let class = class.name().map(|name| name.to_string()).unwrap_or_default();
    Err(Refused::new("invalid_type", format!("a value of type `{class}` is not understood")))
}

pub(crate) fn text(value: &Bound<'_, PyAny>) -> Read<String> {
    let text =
        value.cast::<PyString>().map_err(|_| Refused::new("invalid_type", "names are text"))?;
    text.to_str().map(str::to_owned).map_err(|error| {
        let message = "the text is no Unicode: it has half of a surrogate pair";
        Refused::new("invalid_text", message).by(error)
    })
}

fn whole(value: &Bound<'_, PyAny>) -> Read<Value> {
    if let Ok(number) = value.extract::<i64>() {
        return Ok(number.into());
    }
    value
        .extract::<u64>()
        .map(Value::from)
        .map_err(|_| Refused::new("invalid_number", "the number has more than 64 bits"))
}

fn uuid_text(value: &Bound<'_, PyAny>) -> Read<String> {
    let py = value.py();
    let number = value.getattr(pyo3::intern!(py, "int"))?;
    let bytes =
        number.call_method1(pyo3::intern!(py, "to_bytes"), (16, pyo3::intern!(py, "big")))?;
    let bytes: [u8; 16] = bytes.extract()?;
    Ok(Uuid::from_bytes(bytes).to_string())
}

fn time(value: &Bound<'_, PyAny>) -> Read<Value> {
    let py = value.py();
    if value.call_method0(pyo3::intern!(py, "utcoffset"))?.is_none() {
        let message = "the time names no zone; write e.g. datetime.now(timezone.utc)";
        return Err(Refused::new("naive_datetime", message));
    }
    // An offset may have seconds, which RFC 3339 has not.
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let utc = UTC.get_or_try_init(py, || {
        py.import("datetime")?.getattr("timezone")?.getattr("utc").map(Bound::unbind)
    })?;
    let at = value.call_method1(pyo3::intern!(py, "astimezone"), (utc,))?;
    text(&at.call_method0(pyo3::intern!(py, "isoformat"))?).map(Value::String)
}

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn object<'py>(pairs: impl Iterator<Item = PyResult<Pair<'py>>>, depth: usize) -> Read<Value> {
    let mut read = Map::new();
    for pair in pairs {
        let (name, value) = pair?;
        let name = text(&name)?;
        let value = any(&value, depth + 1).map_err(|refused| refused.within(&name))?;
        read.insert(name, value);
    }
    Ok(Value::Object(read))
}

fn array<'py>(
    values: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    depth: usize,
) -> Read<Value> {
    let mut read = Vec::new();
    for (place, value) in values.enumerate() {
        let value = any(&value?, depth + 1);
        read.push(value.map_err(|refused| refused.within(&format!("[{place}]")))?);
    }
    Ok(Value::Array(read))
}
