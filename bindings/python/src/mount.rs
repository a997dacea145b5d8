//! The CRM's routes, called by `crm_core.asgi` with what an ASGI server gives.

mod bodies;
mod request;
mod socket;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse as _;
use crm_core::{Error, ErrorKind};
use crm_embed::{Mounting, Opened};
use crm_http::mount::Opened as Opening;
use crm_http::status_of;
use futures::future::BoxFuture;
use futures::{FutureExt as _, stream};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use self::bodies::{Incoming, Outgoing};
use self::request::Arrived;
pub(crate) use self::socket::Socket;
use crate::arguments;
use crate::bridge::{self, Made};
use crate::crm::Crm;
use crate::errors;
use crate::guard::Guarded;

/// Bytes of a reply that is handed over at once, if they are there, and of a piece of a longer one.
const PIECE: usize = 64 * 1024;
/// Of a connection, which the host's server speaks for.
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "date", "keep-alive", "transfer-encoding", "upgrade"];

/// The routes of a CRM, from when they are made until they or the CRM are closed.
#[pyclass(frozen)]
pub(crate) struct Mount(Guarded<Served>);

struct Served {
    /// None once it is closed: who is asked later keeps no store open.
    mount: Arc<Mutex<Option<crm_http::Mount>>>,
    stop: watch::Sender<bool>,
    of_crm: watch::Receiver<bool>,
}

/// The routes of `crm`, and what they need to run behind: the relay, and the worker where it is asked for.
#[pyfunction]
pub(crate) fn mount(
    crm: &Bound<'_, Crm>,
    options: &Bound<'_, PyDict>,
    worker: bool,
) -> PyResult<Mount> {
    let py = crm.py();
    let raised = |error: Error| errors::raised(py, &error.in_operation("crm.asgi"));
    // None is any number of requests.
    let options =
        arguments::read(options, true).map_err(|refused| refused.raised(py, "crm.asgi"))?;
    let mounting = Mounting::read(Value::Object(options)).map_err(raised)?;
    let (mounted, core) = crm.get().look(py, |opened: &Opened| {
        mounting.mount(opened).map(|mount| (mount, opened.crm.clone()))
    })?;
    let handle = crm.get().handle().clone();
    let (stop, stopped) = watch::channel(false);
    let of_crm = crm.get().closed();
    let closed_with = of_crm.clone();
    let until = move || {
        let (mut stopped, mut of_crm) = (stopped.clone(), of_crm.clone());
        async move {
            // An error is a sender that is gone.
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                _ = of_crm.wait_for(|closed| *closed) => {}
            }
        }
    };
    let mount = Arc::new(Mutex::new(Some(mounted)));
    let closing = Arc::clone(&mount);
    handle.spawn(async move {
        let closed = async {
            until().await;
            let mount = closing.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(mount) = mount {
                mount.close();
            }
        };
        let (jobs, relay) = (core.worker(), core.relay());
        let jobs = async {
            if worker {
                jobs.run(tokio::time::sleep, until()).await;
            }
        };
        tokio::join!(jobs, relay.run(tokio::time::sleep, until()), closed);
    });
    Ok(Mount(Guarded::new(Served { mount, stop, of_crm: closed_with }, handle)))
}

#[pymethods]
impl Mount {
    /// Serves the request of a scope: a reply as a tuple, or a future of it. What can be answered without
    /// waiting is answered on this thread, as a hand-over to another and back costs more than most reads.
    fn call<'py>(
        &self,
        scope: &Bound<'py, PyDict>,
        body: Option<&Incoming>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = scope.py();
        let body = body.map_or_else(Body::empty, Incoming::body);
        let served = self.served(py)?;
        let mut work: BoxFuture<'static, Answer> = match (request::arrived(scope)?, served) {
            (Some(Arrived { prefix, peer, request }), Some(mount)) => async move {
                Answer::of(mount.call(&prefix, peer, request.map(|()| body)).await).await
            }
            .boxed(),
            (None, _) => Answer::of(malformed()).boxed(),
            (_, None) => Answer::of(closed()).boxed(),
        };
        let handle = self.0.handle();
        let first = py.detach(|| {
            let _within = handle.enter();
            let mut nobody = Context::from_waker(Waker::noop());
            catch_unwind(AssertUnwindSafe(|| work.poll_unpin(&mut nobody)))
        });
        match first {
            Ok(Poll::Ready(answer)) => answer.made(py, handle),
            Ok(Poll::Pending) => {
                let within = handle.clone();
                let work = work.map(move |answer| Ok(made(move |py| answer.made(py, &within))));
                bridge::start(py, handle, work.boxed(), true)
            }
            Err(_) => {
                Err(errors::raised(py, &Error::internal("a panic while a request was served")))
            }
        }
    }

    /// Opens the WebSocket of a scope: a future of a socket, or of the reply that refuses it.
    fn open<'py>(&self, scope: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let py = scope.py();
        let (handle, served) = (self.0.handle(), self.served(py)?);
        let arrived = request::arrived(scope)?;
        let within = handle.clone();
        let work = async move {
            let opened = match (arrived, served) {
                (Some(Arrived { prefix, peer, request }), Some(mount)) => {
                    mount.open(&prefix, peer, request).await
                }
                (None, _) => Opening::Refused(malformed()),
                (_, None) => Opening::Refused(closed()),
            };
            Ok(match opened {
                Opening::Accepted(socket) => {
                    made(move |py| Ok(Bound::new(py, Socket::new(socket, within))?.into_any()))
                }
                Opening::Refused(response) => {
                    let answer = Answer::of(response).await;
                    made(move |py| answer.made(py, &within))
                }
            })
        };
        bridge::start(py, handle, work.boxed(), true)
    }

    /// Ends the streams, the sockets and what runs behind; requests from now on are refused.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let served = self.0.get().map_err(|error| errors::raised(py, &error))?;
        served.stop.send_replace(true);
        let mount = served.mount.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What the last one holds may end by tasks.
        let _within = self.0.handle().enter();
        if let Some(mount) = mount {
            mount.close();
        }
        Ok(())
    }
}

impl Mount {
    /// The routes, unless they are closed.
    fn served(&self, py: Python<'_>) -> PyResult<Option<crm_http::Mount>> {
        let served = self.0.get().map_err(|error| errors::raised(py, &error))?;
        if *served.of_crm.borrow() {
            return Ok(None);
        }
        Ok(served.mount.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn malformed() -> Response<Body> {
    refusal(&Error::new(ErrorKind::Malformed, "the head of the request cannot be read"))
}

fn closed() -> Response<Body> {
    refusal(&Error::new(ErrorKind::Unavailable, "the CRM is closed"))
}

/// A problem document (RFC 9457) for what does not reach the routes.
fn refusal(error: &Error) -> Response<Body> {
    let status = status_of(error.kind());
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": error.message(),
        "code": error.code(),
        "errors": [],
    });
    let kind = [(CONTENT_TYPE, "application/problem+json")];
    (status, kind, problem.to_string()).into_response()
}

/// A reply: its head, what of its body was there, and the rest.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    rest: Option<Body>,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (parts, mut rest) = response.into_parts();
        // What has a known small end is waited for.
        let small = rest.size_hint().exact().is_some_and(|bytes| bytes <= PIECE as u64);
        let (mut body, mut ended) = (Vec::new(), rest.is_end_stream());
        while !ended && body.len() < PIECE {
            let frame = bodies::frame(&mut rest);
            let frame = if small { Some(frame.await) } else { frame.now_or_never() };
            match frame {
                Some(Some(Ok(data))) => body.extend_from_slice(&data),
                Some(None) => ended = true,
                // An error is told again by who reads on: there is nothing after it.
                Some(Some(Err(error))) => {
                    rest = Body::from_stream(stream::once(async { Err::<Bytes, _>(error) }));
                    break;
                }
                None => break,
            }
        }
        let rest = (!ended).then_some(rest);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, rest }
    }

    /// `(status, headers, body, rest)`.
    fn made<'py>(
        self,
        py: Python<'py>,
        handle: &tokio::runtime::Handle,
    ) -> PyResult<Bound<'py, PyAny>> {
        let headers = header_list(py, &self.headers)?;
        let rest = self.rest.map(|body| Bound::new(py, Outgoing::new(body, handle.clone())));
        let body = PyBytes::new(py, &self.body);
        Ok((self.status, headers, body, rest.transpose()?).into_pyobject(py)?.into_any())
    }
}

fn header_list<'py>(py: Python<'py>, headers: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (name, value) in headers {
        if !OF_CONNECTIONS.contains(&name.as_str()) {
            let name = PyBytes::new(py, name.as_str().as_bytes());
            list.append(PyTuple::new(py, [name, PyBytes::new(py, value.as_bytes())])?)?;
        }
    }
    Ok(list)
}

/// What a call comes to, once the interpreter is at hand.
fn made(
    make: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
) -> Made {
    Box::new(make)
}

fn nothing() -> Made {
    made(|py| Ok(py.None().into_bound(py)))
}
