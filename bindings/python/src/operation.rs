//! The core's operations, called by name.

use std::sync::OnceLock;

use crm_core::operations::{self, Given, Reply};
use crm_core::{Error, Result};
use futures::future::BoxFuture;
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments;
use crate::bridge::{self, Made};
use crate::errors;
use crate::guard::Guarded;
use crate::record;
use crate::shape::{self, Shape};

/// One operation, looked up.
#[pyclass(frozen)]
pub(crate) struct Operation {
    pub(crate) declared: &'static operations::Operation,
    shape: OnceLock<Shape>,
    patch: bool,
}

/// The operation of this name; what its fields that are None mean: `patch` clears, otherwise they are absent.
#[pyfunction]
#[pyo3(signature = (name, *, patch = false))]
pub(crate) fn operation(name: &str, patch: bool) -> PyResult<Operation> {
    let declared = operations::named(name)
        .ok_or_else(|| PyLookupError::new_err(format!("there is no operation `{name}`")))?;
    Ok(Operation { declared, shape: OnceLock::new(), patch })
}

type Running = BoxFuture<'static, Result<Box<dyn Reply>>>;

impl Operation {
    pub(crate) fn given(&self, given: &Bound<'_, PyDict>) -> PyResult<Given> {
        arguments::read(given, self.patch)
            .map(Given::from)
            .map_err(|refused| refused.raised(given.py(), self.declared.name))
    }

    fn object<'py>(&self, py: Python<'py>, reply: Box<dyn Reply>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(shape) = self.shape.get() {
            return record::of_reply(py, reply, shape);
        }
        let shape = shape::read(py, &self.declared.reply_shape())?;
        record::of_reply(py, reply, self.shape.get_or_init(|| shape))
    }

    /// Does it and waits.
    pub(crate) fn wait<'py, T>(
        slf: &Bound<'py, Self>,
        on: &Guarded<T>,
        running: impl FnOnce(&T) -> Running,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let running = running(on.get().map_err(|error| errors::raised(py, &error))?);
        let reply = bridge::wait(py, on.handle(), running)?;
        slf.get().object(py, reply)
    }

    /// Begins it in the running asyncio loop.
    pub(crate) fn start<'py, T>(
        slf: &Bound<'py, Self>,
        on: &Guarded<T>,
        running: impl FnOnce(&T) -> Running,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let running = running(on.get().map_err(|error| errors::raised(py, &error))?);
        let operation = slf.clone().unbind();
        let work = async move {
            let reply = running.await?;
            let made: Made = Box::new(move |py: Python<'_>| operation.get().object(py, reply));
            Ok(made)
        };
        bridge::start(py, on.handle(), Box::pin(work), false)
    }
}

/// Does nothing in a task, through all that an awaited call goes through: what the border costs by itself.
#[pyfunction]
pub(crate) fn idle(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let work = async {
        let made: Made = Box::new(|py: Python<'_>| Ok(py.None().into_bound(py)));
        Ok::<_, Error>(made)
    };
    bridge::start(py, &bridge::handle(py)?, Box::pin(work), false)
}

/// Panics in a call, for tests.
#[cfg(any(debug_assertions, feature = "testing"))]
#[pyfunction]
#[allow(clippy::panic, reason = "that is what is tested")]
pub(crate) fn panic_now(py: Python<'_>) -> PyResult<crate::waiting::Waiting> {
    let work = async { panic!("as was asked") };
    Ok(crate::waiting::Waiting::on(&bridge::handle(py)?, work, |py, ()| {
        Ok(py.None().into_bound(py))
    }))
}

/// Takes its time, for tests.
#[cfg(any(debug_assertions, feature = "testing"))]
#[pyfunction]
pub(crate) fn sleep_now(py: Python<'_>, seconds: f64) -> PyResult<crate::waiting::Waiting> {
    let work = async move {
        tokio::time::sleep(std::time::Duration::from_secs_f64(seconds)).await;
        Ok(())
    };
    Ok(crate::waiting::Waiting::on(&bridge::handle(py)?, work, |py, ()| {
        Ok(py.None().into_bound(py))
    }))
}

/// How long the same takes in Rust: the seconds that `times` readings of a contact take there.
#[cfg(any(debug_assertions, feature = "testing"))]
#[pyfunction]
#[allow(clippy::disallowed_methods, reason = "it measures")]
pub(crate) fn read_in_rust(
    py: Python<'_>,
    of: &crate::crm::Session,
    id: &str,
    times: u32,
) -> PyResult<f64> {
    let session = of.core(py)?;
    let id: crm_core::ContactId = id.parse().map_err(|error| errors::raised(py, &error))?;
    let handle = of.handle().clone();
    py.detach(|| {
        handle.block_on(async {
            let begun = std::time::Instant::now();
            for _ in 0..times {
                session.contacts().get(id).await?;
            }
            Ok(begun.elapsed().as_secs_f64())
        })
    })
    .map_err(|error: Error| errors::raised(py, &error))
}
