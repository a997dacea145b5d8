//! A WebSocket whose frames the host's server reads and writes.

use std::sync::Arc;

use axum::body::Bytes;
use crm_http::mount::{Closed, SocketMessage, WebSocket};
use futures::FutureExt as _;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use tokio::runtime::Handle;

use super::{header_list, made, nothing};
use crate::bridge;
use crate::errors;
use crate::guard::Guarded;

/// An open WebSocket.
#[pyclass(frozen)]
pub(crate) struct Socket(Guarded<Arc<WebSocket>>);

impl Socket {
    pub(super) fn new(socket: WebSocket, handle: Handle) -> Self {
        Socket(Guarded::new(Arc::new(socket), handle))
    }

    fn socket(&self, py: Python<'_>) -> PyResult<Arc<WebSocket>> {
        self.0.get().cloned().map_err(|error| errors::raised(py, &error))
    }
}

#[pymethods]
impl Socket {
    /// `(subprotocol, headers)` of the reply.
    fn head<'py>(&self, py: Python<'py>) -> PyResult<(Option<String>, Bound<'py, PyList>)> {
        let socket = self.socket(py)?;
        let mut headers = socket.headers().clone();
        headers.remove("sec-websocket-protocol");
        Ok((socket.protocol().map(str::to_owned), header_list(py, &headers)?))
    }

    /// A future of what the CRM says next: a text, bytes, or `(code, reason)` at the end.
    fn recv<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let socket = self.socket(py)?;
        let work = async move {
            let said = socket.recv().await;
            Ok(made(move |py| match said {
                Ok(SocketMessage::Text(text)) => Ok(PyString::new(py, text.as_str()).into_any()),
                Ok(SocketMessage::Binary(bytes)) => Ok(PyBytes::new(py, &bytes).into_any()),
                Err(Closed { code, reason }) => Ok((code, reason).into_pyobject(py)?.into_any()),
            }))
        };
        bridge::start(py, self.0.handle(), work.boxed(), true)
    }

    /// A future that is done when the CRM has taken it, a text or bytes, or wants no more.
    fn send<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        let message = match message.cast::<PyString>() {
            Ok(text) => SocketMessage::Text(text.to_str()?.into()),
            Err(_) => {
                let bytes = message.cast::<PyBytes>()?.as_bytes();
                SocketMessage::Binary(Bytes::copy_from_slice(bytes))
            }
        };
        let socket = self.socket(py)?;
        let work = async move {
            // Why it has ended is what `recv` tells.
            socket.send(message).await.ok();
            Ok(nothing())
        };
        bridge::start(py, self.0.handle(), work.boxed(), true)
    }

    /// A future that is done when the CRM knows that the client has closed.
    fn close<'py>(
        &self,
        py: Python<'py>,
        code: u16,
        reason: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let socket = self.socket(py)?;
        let work = async move {
            socket.close(code, &reason).await;
            Ok(nothing())
        };
        bridge::start(py, self.0.handle(), work.boxed(), true)
    }
}
