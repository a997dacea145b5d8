//! Bodies that come and go piece by piece.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, HttpBody as _};
use crm_core::Error;
use futures::{FutureExt as _, StreamExt as _, stream};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{PIECE, made, nothing};
use crate::bridge;
use crate::errors;
use crate::guard::Guarded;

/// Pieces of a request's body on their way.
const PIECES: usize = 2;

/// The next bytes of a body; trailers are nothing that an ASGI server of HTTP/1.1 could send.
pub(super) async fn frame(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx));
        let Some(frame) = frame.await else {
            // A body need not bear to be asked after its end.
            *body = Body::empty();
            return None;
        };
        match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                Err(_trailers) => {}
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The rest of a reply's body, as it is made.
#[pyclass(frozen)]
pub(crate) struct Outgoing(Guarded<Arc<tokio::sync::Mutex<Body>>>);

impl Outgoing {
    pub(super) fn new(body: Body, handle: Handle) -> Self {
        Outgoing(Guarded::new(Arc::new(tokio::sync::Mutex::new(body)), handle))
    }
}

#[pymethods]
impl Outgoing {
    /// A future of the next bytes, or of None at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let body = Arc::clone(self.0.get().map_err(|error| errors::raised(py, &error))?);
        let work = async move {
            let mut body = body.lock().await;
            let cut = |error: axum::Error| Error::unavailable("the reply was cut off", error);
            let mut piece = match frame(&mut body).await.transpose().map_err(cut)? {
                Some(data) => data.to_vec(),
                None => return Ok(nothing()),
            };
            while piece.len() < PIECE && !body.is_end_stream() {
                match frame(&mut body).now_or_never() {
                    Some(Some(data)) => piece.extend_from_slice(&data.map_err(cut)?),
                    Some(None) | None => break,
                }
            }
            Ok(made(move |py| Ok(PyBytes::new(py, &piece).into_any())))
        };
        bridge::start(py, self.0.handle(), work.boxed(), true)
    }
}

/// A request's body on its way to the CRM.
#[pyclass(frozen)]
pub(crate) struct Incoming {
    sender: Mutex<Option<mpsc::Sender<Bytes>>>,
    receiver: Mutex<Option<mpsc::Receiver<Bytes>>>,
    whole: Arc<AtomicBool>,
    handle: Handle,
}

#[pymethods]
impl Incoming {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let (sender, receiver) = mpsc::channel(PIECES);
        Ok(Incoming {
            sender: Mutex::new(Some(sender)),
            receiver: Mutex::new(Some(receiver)),
            whole: Arc::default(),
            handle: bridge::handle(py)?,
        })
    }

    /// Gives it the next bytes: None, or a future where the CRM has not read those before them. What nobody
    /// reads any more is dropped.
    fn push<'py>(&self, py: Python<'py>, piece: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(sender), false) = (sender, piece.is_empty()) else { return Ok(None) };
        match sender.try_send(Bytes::copy_from_slice(piece)) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(None),
            Err(mpsc::error::TrySendError::Full(piece)) => {
                let work = async move {
                    sender.send(piece).await.ok();
                    Ok(nothing())
                };
                bridge::start(py, &self.handle, work.boxed(), true).map(Some)
            }
        }
    }

    /// The body has ended: `whole`, or because its sender has gone away.
    fn end(&self, whole: bool) {
        self.whole.store(whole, Ordering::Release);
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Incoming {
    pub(super) fn body(&self) -> Body {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(receiver) = receiver else { return Body::empty() };
        let whole = Arc::clone(&self.whole);
        let pieces = stream::unfold(Some(receiver), move |receiver| {
            let whole = Arc::clone(&whole);
            async move {
                let mut receiver = receiver?;
                match receiver.recv().await {
                    Some(piece) => Some((Ok(piece), Some(receiver))),
                    None if whole.load(Ordering::Acquire) => None,
                    None => Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None)),
                }
            }
        });
        Body::from_stream(pieces.fuse())
    }
}
