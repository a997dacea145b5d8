//! A reply as an object: it becomes Python's at the first look at it.

use std::sync::{Arc, Mutex, PoisonError};

use crm_core::operations::Reply;
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use crate::reply;
use crate::shape::{RecordShape, Shape};

/// What a record is made from.
#[pyclass(frozen)]
pub(crate) struct Held(Mutex<Option<Arc<Unread>>>);

struct Unread {
    reply: Box<dyn Reply>,
    shape: Arc<RecordShape>,
}

/// The base of all that the CRM answers: frozen, and read at the first look at it.
#[pyclass(frozen, subclass, dict, weakref)]
pub(crate) struct Record {
    held: Py<Held>,
}

/// `reply` as an object of its class.
pub(crate) fn of_reply<'py>(
    py: Python<'py>,
    reply: Box<dyn Reply>,
    shape: &Shape,
) -> PyResult<Bound<'py, PyAny>> {
    match shape {
        Shape::Record(shape) => {
            let unread = Arc::new(Unread { reply, shape: Arc::clone(shape) });
            let held = Bound::new(py, Held(Mutex::new(Some(unread))))?;
            shape.class.bind(py).call1((held,))
        }
        Shape::Plain | Shape::Uuid | Shape::Time | Shape::Array(_) | Shape::Map(_) => {
            reply::object(py, &*reply, shape)
        }
    }
}

/// A record of `class` with these attributes.
pub(crate) fn of_values<'py>(
    class: &Bound<'py, PyType>,
    values: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    static NOTHING: pyo3::sync::PyOnceLock<Py<Held>> = pyo3::sync::PyOnceLock::new();
    let py = class.py();
    let held = NOTHING.get_or_try_init(py, || Py::new(py, Held(Mutex::new(None))))?;
    let record = class.call1((held,))?;
    let own = record.getattr(pyo3::intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
    own.update(values.as_mapping())?;
    Ok(record)
}

impl Record {
    /// Reads the reply, if that was not done; `false` where it was.
    fn read(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let held = slf.get().held.get();
        let lock = || held.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Not locked while Python's objects are made: their making may let another thread in.
        let Some(unread) = lock().clone() else { return Ok(false) };
        let values = reply::fields(py, &*unread.reply, &unread.shape)?;
        let own = slf.as_any().getattr(pyo3::intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        own.update(values.as_mapping())?;
        *lock() = None;
        Ok(true)
    }
}

#[pymethods]
impl Record {
    #[new]
    fn new(held: Py<Held>) -> Self {
        Record { held }
    }

    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        Record::read(slf)?;
        let own = slf.as_any().getattr(pyo3::intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        own.get_item(name)?.ok_or_else(|| {
            let class = slf.get_type();
            let class = class.name().map(|name| name.to_string()).unwrap_or_default();
            PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
        })
    }

    fn __setattr__(&self, name: &Bound<'_, PyString>, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyAttributeError::new_err(format!("cannot set '{name}': records are frozen")))
    }

    fn __delattr__(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        Err(PyAttributeError::new_err(format!("cannot delete '{name}': records are frozen")))
    }

    /// The attributes, read.
    fn _values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        Record::read(slf)?;
        let own = slf.as_any().getattr(pyo3::intern!(slf.py(), "__dict__"))?;
        Ok(own.cast_into::<PyDict>()?)
    }

    /// A record with these attributes.
    #[classmethod]
    fn _of_values<'py>(
        class: &Bound<'py, PyType>,
        values: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if class.is(class.py().get_type::<Record>()) {
            return Err(PyTypeError::new_err("a record has a class of its own"));
        }
        of_values(class, values)
    }
}
