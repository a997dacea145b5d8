//! The CRM, a session in it, and what runs its jobs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crm_core::identity::Arrival;
use crm_core::{Error, ErrorKind, Principal, Result};
use crm_embed::ports::Ports;
use crm_embed::{Opened, Opening};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::arguments;
use crate::bridge;
use crate::errors;
use crate::guard::Guarded;
use crate::operation::Operation;
use crate::ports;
use crate::waiting::Waiting;

/// Why the host works across tenants.
const BY_HOST: &str = "the host asked by a binding";

/// A CRM that is open.
#[pyclass(frozen)]
pub(crate) struct Crm(Mutex<Option<Guarded<Opened>>>, Handle, watch::Sender<bool>);

/// Opens a CRM: `options` are those of `crm_embed::Opening`, `objects` the ports that the host has written.
#[pyfunction]
pub(crate) fn open(options: &Bound<'_, PyDict>, objects: &Bound<'_, PyDict>) -> PyResult<Waiting> {
    let py = options.py();
    let given =
        arguments::read(options, false).map_err(|refused| refused.raised(py, "crm.open"))?;
    let handle = bridge::handle(py)?;
    let opening = serde_json::from_value::<Opening>(Value::Object(given)).map_err(|error| {
        let refused = Error::refused_value(".", &error.to_string());
        errors::raised(py, &refused.in_operation("crm.open"))
    })?;
    let hosts = ports::read(objects, &handle)?;
    let (within, runtime) = (handle.clone(), handle.clone());
    let work = async move {
        // A clock is asked there, which must not be done with the interpreter held.
        let opened = match Ports::new(hosts, &runtime) {
            Ok(ports) => opening.open(|builder| ports.equip(builder)).await,
            Err(error) => Err(error),
        };
        opened.map_err(|error| error.in_operation("crm.open"))
    };
    Ok(Waiting::on(&handle, work, move |py, opened| {
        let guarded = Guarded::new(opened, within.clone());
        Ok(Bound::new(py, Crm(Mutex::new(Some(guarded)), within, watch::Sender::new(false)))?
            .into_any())
    }))
}

impl Crm {
    /// The core's own, which is cheap to clone.
    pub(crate) fn core(&self, py: Python<'_>) -> PyResult<crm_core::Crm> {
        self.look(py, |opened| Ok(opened.crm.clone()))
    }

    /// What `look` sees in it, where it is open.
    pub(crate) fn look<T>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&Opened) -> Result<T>,
    ) -> PyResult<T> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match &*open {
            Some(opened) => opened.get().and_then(look),
            None => Err(Error::new(ErrorKind::Conflict, "the Crm is closed")),
        };
        seen.map_err(|error| errors::raised(py, &error))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.1
    }

    /// Becomes true when it is closed.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.2.subscribe()
    }

    fn session_by(
        &self,
        begun: impl Future<Output = Result<crm_core::Session>> + Send + 'static,
    ) -> Waiting {
        let handle = self.1.clone();
        Waiting::on(&self.1, begun, move |py, session| {
            Ok(Bound::new(py, Session(Guarded::new(session, handle)))?.into_any())
        })
    }
}

#[pymethods]
impl Crm {
    fn call<'py>(
        &self,
        operation: &Bound<'py, Operation>,
        given: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let core = Guarded::new(self.core(given.py())?, self.1.clone());
        let given = operation.get().given(given)?;
        let declared = operation.get().declared;
        Operation::wait(operation, &core, |core| declared.run_for(core.clone(), given))
    }

    fn start<'py>(
        &self,
        operation: &Bound<'py, Operation>,
        given: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let core = Guarded::new(self.core(given.py())?, self.1.clone());
        let given = operation.get().given(given)?;
        let declared = operation.get().declared;
        Operation::start(operation, &core, |core| declared.run_for(core.clone(), given))
    }

    /// A session of a user, whom the host knows.
    fn session(&self, given: &Bound<'_, PyDict>) -> PyResult<Waiting> {
        let core = self.core(given.py())?;
        let mut given = given_ids(given, "crm.session")?;
        Ok(self.session_by(async move {
            let tenant = id(&mut given, "tenant_id")?;
            let user = id(&mut given, "user_id")?;
            core.session(Principal::User { tenant, user }).await
        }))
    }

    /// A session of the operator in a tenant.
    fn operator(&self, given: &Bound<'_, PyDict>) -> PyResult<Waiting> {
        let core = self.core(given.py())?;
        let mut given = given_ids(given, "crm.operator")?;
        Ok(self.session_by(async move {
            let tenant = id(&mut given, "tenant_id")?;
            core.system(BY_HOST)?.session(tenant).await
        }))
    }

    /// A session of who presents an access token or an API key.
    fn authenticate(&self, py: Python<'_>, bearer: String) -> PyResult<Waiting> {
        let core = self.core(py)?;
        Ok(self.session_by(async move {
            let request_id = core.new_request_id()?;
            let arrival = Arrival { request_id, address: None, user_agent: None };
            core.identity(arrival).authenticate(&bearer).await
        }))
    }

    /// Begins to run jobs, and to pass on what other processes change.
    fn worker(&self, py: Python<'_>) -> PyResult<Worker> {
        let core = self.core(py)?;
        let (stop, stopped) = watch::channel(false);
        let until = |mut stopped: watch::Receiver<bool>| async move {
            // An error is a sender that is gone, and with it who could stop the work.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let (jobs, relay) = (core.worker(), core.relay());
        let (end_jobs, end_relay) = (until(stopped.clone()), until(stopped));
        let running = self.1.spawn(async move {
            tokio::join!(
                jobs.run(tokio::time::sleep, end_jobs),
                relay.run(tokio::time::sleep, end_relay)
            );
        });
        Ok(Worker(Guarded::new((stop, Mutex::new(Some(running))), self.1.clone())))
    }

    /// Closes it; sessions that are open can be used until they are dropped.
    fn close(&self, py: Python<'_>) {
        let opened = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.2.send_replace(true);
        py.detach(|| drop(opened));
    }

    /// Whether the store answers.
    fn check(&self, py: Python<'_>) -> PyResult<Waiting> {
        let core = self.core(py)?;
        Ok(Waiting::on(&self.1, async move { core.check().await }, |py, ()| {
            Ok(py.None().into_bound(py))
        }))
    }
}

fn given_ids(
    given: &Bound<'_, PyDict>,
    operation: &'static str,
) -> PyResult<serde_json::Map<String, Value>> {
    arguments::read(given, false).map_err(|refused| refused.raised(given.py(), operation))
}

/// The id that was given by this name.
pub(crate) fn id<T: std::str::FromStr>(
    given: &mut serde_json::Map<String, Value>,
    name: &str,
) -> Result<T> {
    let wrong = || errors::refused(name, "invalid_id", format!("`{name}` is no id"));
    given.get(name).and_then(Value::as_str).ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

/// Somebody at work in a tenant.
#[pyclass(frozen)]
pub(crate) struct Session(pub(crate) Guarded<crm_core::Session>);

impl Session {
    pub(crate) fn core(&self, py: Python<'_>) -> PyResult<crm_core::Session> {
        self.0.get().cloned().map_err(|error| errors::raised(py, &error))
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.0.handle()
    }
}

#[pymethods]
impl Session {
    fn call<'py>(
        &self,
        operation: &Bound<'py, Operation>,
        given: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = operation.get().given(given)?;
        let declared = operation.get().declared;
        Operation::wait(operation, &self.0, |session| declared.run_in(session.clone(), given))
    }

    fn start<'py>(
        &self,
        operation: &Bound<'py, Operation>,
        given: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = operation.get().given(given)?;
        let declared = operation.get().declared;
        Operation::start(operation, &self.0, |session| declared.run_in(session.clone(), given))
    }

    /// The same actor, content with data that may be a little old.
    fn lagging(&self, py: Python<'_>) -> PyResult<Session> {
        let session = self.core(py)?.lagging();
        Ok(Session(Guarded::new(session, self.handle().clone())))
    }
}

type Stoppable = (watch::Sender<bool>, Mutex<Option<JoinHandle<()>>>);

/// Jobs that are run until it is stopped, or dropped.
#[pyclass(frozen)]
pub(crate) struct Worker(Guarded<Stoppable>);

#[pymethods]
impl Worker {
    /// Takes up no more and waits for what runs, at most `seconds`.
    fn stop(&self, py: Python<'_>, seconds: f64) -> PyResult<Waiting> {
        let (stop, running) = self.0.get().map_err(|error| errors::raised(py, &error))?;
        stop.send_replace(true);
        let running = running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let longest = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let work = async move {
            let Some(running) = running else { return Ok(true) };
            Ok(tokio::time::timeout(longest, running).await.is_ok())
        };
        Ok(Waiting::on(self.0.handle(), work, |py, in_time: bool| {
            Ok(pyo3::types::PyBool::new(py, in_time).to_owned().into_any())
        }))
    }
}
