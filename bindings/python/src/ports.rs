//! Ports written in Python: each method of an object is called where it may take its time.

mod awaited;
mod streams;
mod values;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_embed::ports::{Arguments, Host, HostError, HostValue, Hosts, METHODS, TimeLimits, within};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::errors;

pub(crate) use streams::Chunks;

/// What the conformance suite calls of a carrier beside the port's methods.
const EXAMINED: [&str; 2] = ["now", "pass_time"];

/// Where the methods of a host's objects run.
struct Place {
    handle: Handle,
    /// The asyncio loop of an `AsyncCrm`; for a `Crm`, one of our own.
    event_loop: Option<Py<PyAny>>,
}

/// An object of the host.
struct PyHost {
    object: Arc<Py<PyAny>>,
    methods: HashSet<&'static str>,
    place: Arc<Place>,
}

/// The objects that are given to `open`, by port.
pub(crate) fn read(given: &Bound<'_, PyDict>, handle: &Handle) -> PyResult<Hosts> {
    let py = given.py();
    let value = |name: &str| Ok::<_, PyErr>(given.get_item(name)?.filter(|value| !value.is_none()));
    let event_loop = value("loop")?.map(Bound::unbind);
    let place = Arc::new(Place { handle: handle.clone(), event_loop });
    let one = |name: &str| value(name)?.map(|object| PyHost::of(object, &place)).transpose();
    let named = |name: &str| -> PyResult<Vec<(String, Arc<dyn Host>)>> {
        let Some(objects) = value(name)? else { return Ok(Vec::new()) };
        let objects = objects.cast_into::<PyDict>().map_err(|_| {
            let message = format!("`{name}` is a dict of objects by their names");
            errors::raised(py, &errors::refused(name, "invalid_type", message))
        })?;
        let objects = objects.iter();
        objects.map(|(name, object)| Ok((name.extract()?, PyHost::of(object, &place)?))).collect()
    };
    let mut limits = TimeLimits::default();
    if let Some(seconds) = value("port_timeout")? {
        let seconds =
            seconds.extract().ok().and_then(|given| Duration::try_from_secs_f64(given).ok());
        let refused = || {
            let message = "write a number of seconds above 0";
            errors::raised(py, &errors::refused("port_timeout", "invalid_value", message))
        };
        limits.call = seconds.filter(|limit| !limit.is_zero()).ok_or_else(refused)?;
        limits.call_now = limits.call_now.min(limits.call);
        limits.clock = limits.clock.min(limits.call);
    }
    Ok(Hosts {
        telephony: named("telephony")?,
        bus: one("event_bus")?,
        blobs: one("blobs")?,
        clock: one("clock")?,
        channels: named("channels")?,
        limits,
    })
}

impl PyHost {
    fn of(object: Bound<'_, PyAny>, place: &Arc<Place>) -> PyResult<Arc<dyn Host>> {
        static HAS_METHOD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let has_method = HAS_METHOD.import(object.py(), "crm_core._ports", "has_method")?;
        let mut methods = HashSet::new();
        for name in METHODS.iter().map(|method| method.name).chain(EXAMINED) {
            if has_method.call1((&object, name))?.is_truthy()? {
                methods.insert(name);
            }
        }
        let object = Arc::new(object.unbind());
        Ok(Arc::new(PyHost { object, methods, place: Arc::clone(place) }))
    }
}

/// What a call has come to when the method returns.
enum Begun {
    Done(HostValue),
    Awaited(awaited::Awaited),
}

/// What `work` comes to in the interpreter. Not for threads of the runtime: it may have to wait for others.
fn attached<T>(
    work: impl for<'py> FnOnce(Python<'py>) -> Result<T, HostError>,
) -> Result<T, HostError> {
    Python::try_attach(work).unwrap_or_else(|| Err(ending()))
}

fn ending() -> HostError {
    HostError { retryable: true, ..HostError::new("the interpreter is ending") }
}

/// Does `work` in the interpreter on a thread that may wait for it.
async fn aside<T: Send + 'static>(
    place: &Place,
    work: impl for<'py> FnOnce(Python<'py>) -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    let (sender, done) = oneshot::channel();
    place.handle.spawn_blocking(move || {
        // Nobody may wait any more; what has begun ends when it is dropped.
        drop(sender.send(attached(work)));
    });
    done.await.unwrap_or_else(|_| Err(ending()))
}

fn invoke<'py>(
    py: Python<'py>,
    object: &Py<PyAny>,
    place: &Arc<Place>,
    method: &str,
    arguments: Arguments,
) -> PyResult<Bound<'py, PyAny>> {
    let given = PyDict::new(py);
    for (name, value) in arguments {
        given.set_item(name, values::given(py, value, place)?)?;
    }
    object.bind(py).call_method(method, (), Some(&given))
}

#[async_trait]
impl Host for PyHost {
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError> {
        let (object, place) = (Arc::clone(&self.object), Arc::clone(&self.place));
        let begun = aside(&self.place, move |py| {
            let told = |error| values::raised(py, error);
            let answer = invoke(py, &object, &place, method, arguments).map_err(told)?;
            if awaited::is_awaitable(&answer).map_err(told)? {
                return awaited::Awaited::begin(&answer, &place).map(Begun::Awaited).map_err(told);
            }
            Ok(Begun::Done(values::answered(&answer, &place)))
        });
        match begun.await? {
            Begun::Done(value) => Ok(value),
            Begun::Awaited(coming) => Ok(coming.outcome().await?.unwrap_or(HostValue::Null)),
        }
    }

    fn call_now(
        &self,
        method: &'static str,
        arguments: Arguments,
        limit: Duration,
    ) -> Result<HostValue, HostError> {
        let (object, place) = (Arc::clone(&self.object), Arc::clone(&self.place));
        within(&self.place.handle, limit, move || {
            attached(|py| {
                let told = |error| values::raised(py, error);
                let answer = invoke(py, &object, &place, method, arguments).map_err(told)?;
                if awaited::is_awaitable(&answer).map_err(told)? {
                    awaited::discard(&answer);
                    return Err(HostError::new(format!("`{method}` must not be asynchronous")));
                }
                Ok(values::answered(&answer, &place))
            })
        })
    }

    fn has(&self, method: &str) -> bool {
        self.methods.contains(method)
    }
}

/// The methods of all ports and the shapes of what they answer, as JSON, for tests.
#[cfg(any(debug_assertions, feature = "testing"))]
#[pyfunction]
pub(crate) fn port_methods() -> String {
    crm_embed::ports::contract().to_string()
}

/// Runs the conformance suite over the carriers that `fresh` makes: the cases, each with what is wrong.
#[cfg(feature = "conformance")]
#[pyfunction]
pub(crate) fn prove_telephony(fresh: Bound<'_, PyAny>) -> PyResult<crate::waiting::Waiting> {
    let handle = crate::bridge::handle(fresh.py())?;
    let place = Arc::new(Place { handle: handle.clone(), event_loop: None });
    let fresh = fresh.unbind();
    let fresh = move || {
        let made = attached(|py| {
            let carrier = fresh.bind(py).call0().and_then(|carrier| PyHost::of(carrier, &place));
            carrier.map_err(|error| values::raised(py, error))
        });
        made.map_err(crm_core::Error::internal)
    };
    let proven = crm_embed::ports::prove_telephony(fresh);
    Ok(crate::waiting::Waiting::on(&handle, proven, |py, proofs| {
        let proofs: Vec<_> = proofs.into_iter().map(|proof| (proof.case, proof.wrong)).collect();
        proofs.into_pyobject(py)
    }))
}
