//! What is awaitable, run in the host's asyncio loop.

use std::sync::{Arc, Mutex, PoisonError};

use crm_embed::ports::{HostError, HostValue};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::sync::oneshot;

use super::{Place, attached, ending, values};

/// What it comes to; nothing where an iterator has ended.
type Outcome = Result<Option<HostValue>, HostError>;

/// Something under way in the loop. Dropping it cancels it there.
pub(super) struct Awaited {
    future: Option<Py<PyAny>>,
    told: oneshot::Receiver<Outcome>,
    place: Arc<Place>,
}

pub(super) fn is_awaitable(answer: &Bound<'_, PyAny>) -> PyResult<bool> {
    answer.hasattr(pyo3::intern!(answer.py(), "__await__"))
}

/// Lets go of a coroutine that nobody will await, without the warning that it never was.
pub(super) fn discard(awaitable: &Bound<'_, PyAny>) {
    // One that is no coroutine has nothing to close.
    drop(awaitable.call_method0(pyo3::intern!(awaitable.py(), "close")));
}

impl Awaited {
    pub(super) fn begin(awaitable: &Bound<'_, PyAny>, place: &Arc<Place>) -> PyResult<Self> {
        static BEGIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = awaitable.py();
        let (sender, told) = oneshot::channel();
        let tell = Tell { sender: Mutex::new(Some(sender)), place: Arc::clone(place) };
        let event_loop = place.event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py));
        let begin = BEGIN.import(py, "crm_core._ports", "begin")?;
        let future = begin.call1((awaitable, event_loop, Bound::new(py, tell)?))?;
        Ok(Awaited { future: Some(future.unbind()), told, place: Arc::clone(place) })
    }

    pub(super) async fn outcome(mut self) -> Outcome {
        let outcome = (&mut self.told).await.unwrap_or_else(|_| Err(ending()));
        self.future = None;
        outcome
    }

    /// Lets it go on without anybody who waits.
    pub(super) fn leave(mut self) {
        self.future = None;
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.place.handle.spawn_blocking(move || {
                attached(|py| {
                    let cancelled = future.bind(py).call_method0(pyo3::intern!(py, "cancel"));
                    cancelled.map(drop).map_err(|error| values::raised(py, error))
                })
            });
        }
    }
}

/// Called with the future when it is done.
#[pyclass(frozen)]
struct Tell {
    sender: Mutex<Option<oneshot::Sender<Outcome>>>,
    place: Arc<Place>,
}

#[pymethods]
impl Tell {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        static ENDED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = future.py();
        let ended = ENDED.import(py, "crm_core._ports", "ENDED")?;
        let outcome = match future.call_method0(pyo3::intern!(py, "result")) {
            Ok(value) if value.is(ended) => Ok(None),
            Ok(value) => Ok(Some(values::answered(&value, &self.place))),
            Err(error) => Err(values::raised(py, error)),
        };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Who has stopped waiting wants no answer.
            drop(sender.send(outcome));
        }
        Ok(())
    }
}
