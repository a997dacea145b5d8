//! The core's errors as exceptions, which `crm_core._errors` defines.

use std::error::Error as _;

use crm_core::{Error, FieldError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use crate::reply::uuid_object;

/// The exception for `error`.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(other) => other,
    }
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let fields: Vec<(&str, &str, &str)> =
        error.fields().iter().map(|one| (&*one.field, &*one.code, &*one.message)).collect();
    let existing = error.existing_id().map(|id| uuid_object(py, id)).transpose()?;
    let exception = MAKE.import(py, "crm_core._errors", "make")?.call1((
        error.code(),
        error.message(),
        error.operation(),
        error.is_retryable(),
        PyTuple::new(py, fields)?,
        existing,
        error.retry_after().map(|wait| wait.as_secs_f64()),
    ))?;
    if let Some(cause) = cause(py, error)? {
        exception.setattr("__cause__", cause)?;
    }
    Ok(exception)
}

/// An exception of the host's own code, or the words of what lies below.
fn cause<'py>(py: Python<'py>, error: &Error) -> PyResult<Option<Bound<'py, PyAny>>> {
    static CAUSE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let mut words = Vec::new();
    let mut source = error.source();
    while let Some(one) = source {
        if let Some(own) = one.downcast_ref::<PyErr>() {
            return Ok(Some(own.clone_ref(py).into_value(py).into_bound(py).into_any()));
        }
        words.push(one.to_string());
        source = one.source();
    }
    if words.is_empty() {
        return Ok(None);
    }
    CAUSE.import(py, "crm_core._errors", "Cause")?.call1((words.join(": "),)).map(Some)
}

/// An argument that was refused before it reached the core.
pub(crate) fn refused(field: &str, code: &'static str, message: impl Into<String>) -> Error {
    Error::invalid(vec![FieldError::new(field, code, message)])
}
