//! Iterators of the host's as streams, and streams as iterators for the host.

use std::sync::Arc;

use crm_core::{Error, ErrorKind};
use crm_embed::ports::{HostError, HostStream, HostValue};
use futures::{FutureExt as _, StreamExt as _, stream};
use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::awaited::Awaited;
use super::{Place, aside, attached, values};
use crate::bridge::{self, Made};
use crate::guard::Guarded;

/// An iterator of the host's. Dropping it closes it.
struct Pulled {
    /// A `Pull` of `crm_core._ports` where it is asynchronous, and else the iterator.
    iterator: Arc<Py<PyAny>>,
    asynchronous: bool,
    place: Arc<Place>,
    over: bool,
}

/// What the iterator gives, piece by piece.
pub(super) fn read(
    iterator: &Bound<'_, PyAny>,
    asynchronous: bool,
    place: &Arc<Place>,
) -> PyResult<HostStream> {
    static PULL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = iterator.py();
    let iterator = if asynchronous {
        PULL.import(py, "crm_core._ports", "Pull")?.call1((iterator,))?
    } else {
        iterator.clone()
    };
    let iterator = Arc::new(iterator.unbind());
    let pulled = Pulled { iterator, asynchronous, place: Arc::clone(place), over: false };
    let pieces = stream::unfold(pulled, |mut pulled| async move {
        if pulled.over {
            return None;
        }
        let piece = pulled.next().await;
        pulled.over = !matches!(piece, Ok(Some(_)));
        Some((piece.transpose()?, pulled))
    });
    Ok(pieces.boxed())
}

impl Pulled {
    async fn next(&self) -> Result<Option<HostValue>, HostError> {
        let (iterator, place) = (Arc::clone(&self.iterator), Arc::clone(&self.place));
        if self.asynchronous {
            let begun = aside(&self.place, move |py| {
                let step = iterator.bind(py).call_method0(pyo3::intern!(py, "next"));
                step.and_then(|step| Awaited::begin(&step, &place))
                    .map_err(|error| values::raised(py, error))
            });
            return begun.await?.outcome().await;
        }
        let piece = aside(&self.place, move |py| {
            match iterator.bind(py).call_method0(pyo3::intern!(py, "__next__")) {
                Ok(piece) => Ok(Some(values::answered(&piece, &place))),
                Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(None),
                Err(error) => Err(values::raised(py, error)),
            }
        });
        piece.await
    }
}

impl Drop for Pulled {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (iterator, place) = (Arc::clone(&self.iterator), Arc::clone(&self.place));
        let asynchronous = self.asynchronous;
        self.place.handle.spawn_blocking(move || {
            attached(|py| {
                // An iterator that is no generator may have nothing to close.
                if let Ok(closing) = iterator.bind(py).call_method0(pyo3::intern!(py, "close"))
                    && asynchronous
                    && let Ok(closing) = Awaited::begin(&closing, &place)
                {
                    closing.leave();
                }
                Ok(())
            })
        });
    }
}

/// Bytes for the host: an iterator for who blocks, and an asynchronous one.
#[pyclass(frozen)]
pub(crate) struct Chunks(Guarded<Arc<Mutex<HostStream>>>);

impl Chunks {
    pub(super) fn new(stream: HostStream, handle: Handle) -> Self {
        Chunks(Guarded::new(Arc::new(Mutex::new(stream)), handle))
    }

    async fn next(stream: Arc<Mutex<HostStream>>) -> crm_core::Result<Option<HostValue>> {
        let piece = stream.lock().await.next().await;
        piece.transpose().map_err(|error| {
            let code = error.code.as_deref().unwrap_or_default();
            let kind = ErrorKind::ALL.iter().copied().find(|kind| kind.code() == code);
            Error::new(kind.unwrap_or(ErrorKind::Internal), error.message)
        })
    }

    fn stream(&self, py: Python<'_>) -> PyResult<Arc<Mutex<HostStream>>> {
        self.0.get().cloned().map_err(|error| crate::errors::raised(py, &error))
    }
}

#[pymethods]
impl Chunks {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let piece = bridge::wait(py, self.0.handle(), Chunks::next(self.stream(py)?))?;
        piece.map(|piece| values::plain(py, piece)).transpose()
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let next = Chunks::next(self.stream(py)?).map(|piece| {
            piece.map(|piece| {
                let made: Made = Box::new(move |py: Python<'_>| match piece {
                    Some(piece) => values::plain(py, piece),
                    None => Err(PyStopAsyncIteration::new_err(())),
                });
                made
            })
        });
        bridge::start(py, self.0.handle(), next.boxed(), true)
    }
}
