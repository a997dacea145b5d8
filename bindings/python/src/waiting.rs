//! A call that has not begun: the same for who blocks and for who awaits.

use std::sync::{Mutex, PoisonError};

use crm_core::{Error, ErrorKind, Result};
use futures::FutureExt;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::bridge::{self, Made, Work};
use crate::errors;

/// A call that has not begun: `wait()` blocks, `start()` gives a future of the running asyncio loop.
#[pyclass(frozen)]
pub(crate) struct Waiting {
    work: Mutex<Option<Work>>,
    handle: Handle,
    can_end: bool,
}

impl Waiting {
    /// Work that goes on when nobody waits for it any more.
    pub(crate) fn on<T: Send + 'static>(
        handle: &Handle,
        work: impl Future<Output = Result<T>> + Send + 'static,
        made: impl for<'py> FnOnce(Python<'py>, T) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
    ) -> Self {
        let work = work.map(|done| {
            done.map(|value| {
                let made: Made = Box::new(move |py: Python<'_>| made(py, value));
                made
            })
        });
        Waiting { work: Mutex::new(Some(work.boxed())), handle: handle.clone(), can_end: false }
    }

    /// The same where nothing is lost when the work ends with the waiting.
    #[must_use]
    pub(crate) fn that_can_end(mut self) -> Self {
        self.can_end = true;
        self
    }

    fn take(&self, py: Python<'_>) -> PyResult<Work> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.ok_or_else(|| {
            errors::raised(py, &Error::new(ErrorKind::Conflict, "the call has begun already"))
        })
    }
}

#[pymethods]
impl Waiting {
    /// Blocks until it is done.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        bridge::wait(py, &self.handle, self.take(py)?)?(py)
    }

    /// Begins it in the running asyncio loop.
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        bridge::start(py, &self.handle, self.take(py)?, self.can_end)
    }
}
