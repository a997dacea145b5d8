//! The tenant's events: one by one, or in a group whose place is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};

use crm_core::events::{After, Delivery, GroupName, GroupReader};
use crm_core::operations::{FollowedEvent, Reply, after, position_text, shape_of};
use crm_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::crm::Session;
use crate::errors;
use crate::guard::Guarded;
use crate::record;
use crate::shape::{self, Shape};
use crate::waiting::Waiting;

fn event_object(py: Python<'_>, event: FollowedEvent) -> PyResult<Bound<'_, PyAny>> {
    static SHAPE: OnceLock<Shape> = OnceLock::new();
    let reply: Box<dyn Reply> = Box::new(event);
    if let Some(shape) = SHAPE.get() {
        return record::of_reply(py, reply, shape);
    }
    let shape = shape::read(py, &shape_of::<FollowedEvent>())?;
    record::of_reply(py, reply, SHAPE.get_or_init(|| shape))
}

/// What was read and not yet handed out. What a cancelled call has read stays for the next one.
type Read = Arc<StdMutex<VecDeque<Delivery>>>;

/// A reader of the events.
#[pyclass(frozen)]
pub(crate) struct Subscription {
    reader: Guarded<Arc<Mutex<crm_core::events::Subscription>>>,
    read: Read,
}

/// Follows the events after a position.
#[pyfunction]
pub(crate) fn subscribe(py: Python<'_>, of: &Session, after_text: &str) -> PyResult<Waiting> {
    let session = of.core(py)?;
    let from = begin(py, after_text, "events.subscribe")?;
    let handle = of.handle().clone();
    let begun = async move { session.events().subscribe(from).await };
    Ok(Waiting::on(of.handle(), begun, move |py, subscription| {
        let reader = Guarded::new(Arc::new(Mutex::new(subscription)), handle);
        Ok(Bound::new(py, Subscription { reader, read: Read::default() })?.into_any())
    }))
}

/// Follows the events in a group, from where it is.
#[pyfunction]
pub(crate) fn group(
    py: Python<'_>,
    of: &Session,
    name: &str,
    otherwise: &str,
) -> PyResult<Waiting> {
    let session = of.core(py)?;
    let from = begin(py, otherwise, "events.group")?;
    let name: GroupName = name
        .parse()
        .map_err(|error: Error| errors::raised(py, &error.in_operation("events.group")))?;
    let handle = of.handle().clone();
    let begun = async move { session.events().group(name, from).await };
    Ok(Waiting::on(of.handle(), begun, move |py, reader| {
        Ok(Bound::new(py, Group(Guarded::new(Arc::new(Mutex::new(reader)), handle)))?.into_any())
    }))
}

fn begin(py: Python<'_>, text: &str, operation: &'static str) -> PyResult<After> {
    after(text).map_err(|error| errors::raised(py, &error.in_operation(operation)))
}

#[pymethods]
impl Subscription {
    /// What is at hand: an event, the position of a reset as text, or None.
    fn pop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let next = self.read.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match next {
            None => Ok(None),
            Some(Delivery::Reset(position)) => {
                Ok(Some(PyString::new(py, &position_text(position)).into_any()))
            }
            Some(Delivery::Event(recorded)) => {
                let event = FollowedEvent::try_from(recorded);
                event_object(py, event.map_err(|error| errors::raised(py, &error))?).map(Some)
            }
        }
    }

    /// Waits until something is at hand, at most `seconds`; whether something is.
    #[pyo3(signature = (seconds = None))]
    fn fill(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Waiting> {
        let reader = self.reader.get().map_err(|error| errors::raised(py, &error))?;
        let (reader, read) = (Arc::clone(reader), Arc::clone(&self.read));
        let fill = async move {
            let mut reader = reader.lock().await;
            if !read.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return Ok(());
            }
            let next = reader.next().await?;
            let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
            read.push_back(next);
            read.extend(reader.read_already());
            Ok::<(), Error>(())
        };
        let in_time = in_time(fill, seconds);
        Ok(Waiting::on(self.reader.handle(), in_time, |py, filled: Option<()>| {
            Ok(pyo3::types::PyBool::new(py, filled.is_some()).to_owned().into_any())
        })
        .that_can_end())
    }
}

/// `work` as far as it is done within `seconds`.
async fn in_time<T>(
    work: impl Future<Output = Result<T>> + Send,
    seconds: Option<f64>,
) -> Result<Option<T>> {
    let Some(seconds) = seconds else { return work.await.map(Some) };
    let longest = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| {
        errors::refused("timeout", "invalid_number", "`timeout` is a number of seconds from 0 on")
    })?;
    tokio::time::timeout(longest, work).await.ok().transpose()
}

/// A reader of a group.
#[pyclass(frozen)]
pub(crate) struct Group(Guarded<Arc<Mutex<GroupReader>>>);

#[pymethods]
impl Group {
    /// The next batch, as soon as there is one; None after `seconds`.
    #[pyo3(signature = (seconds = None))]
    fn next(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Waiting> {
        let reader = self.0.get().map_err(|error| errors::raised(py, &error))?;
        let reader = Arc::clone(reader);
        let handle = self.0.handle().clone();
        let next = in_time(async move { reader.lock().await.next().await }, seconds);
        Ok(Waiting::on(self.0.handle(), next, move |py, batch| match batch {
            None => Ok(py.None().into_bound(py)),
            Some(batch) => Batch::object(py, batch, handle),
        })
        .that_can_end())
    }
}

/// Events for a group.
#[pyclass(frozen)]
pub(crate) struct Batch {
    batch: Guarded<StdMutex<Option<crm_core::events::Batch>>>,
    /// The events, oldest first.
    #[pyo3(get)]
    events: Py<PyTuple>,
    /// Whether events before these are no longer kept.
    #[pyo3(get)]
    incomplete: bool,
    session: Session,
}

impl Batch {
    fn object<'py>(
        py: Python<'py>,
        batch: crm_core::events::Batch,
        handle: Handle,
    ) -> PyResult<Bound<'py, PyAny>> {
        let events = batch.events().iter().map(|recorded| {
            let event = FollowedEvent::try_from(recorded.clone());
            event_object(py, event.map_err(|error| errors::raised(py, &error))?)
        });
        let events = PyTuple::new(py, events.collect::<PyResult<Vec<_>>>()?)?.unbind();
        let session = Session(Guarded::new(batch.session().clone(), handle.clone()));
        let incomplete = batch.is_incomplete();
        let batch = Guarded::new(StdMutex::new(Some(batch)), handle);
        Ok(Bound::new(py, Batch { batch, events, incomplete, session })?.into_any())
    }
}

#[pymethods]
impl Batch {
    /// Moves the group past the batch.
    fn done(&self, py: Python<'_>) -> PyResult<Waiting> {
        let batch = self.batch.get().map_err(|error| errors::raised(py, &error))?;
        let batch = batch.lock().unwrap_or_else(PoisonError::into_inner).take();
        let done = async move {
            match batch {
                Some(batch) => batch.done().await,
                None => Err(Error::new(ErrorKind::Conflict, "the batch is done already")),
            }
        };
        Ok(Waiting::on(self.batch.handle(), done, |py, ()| Ok(py.None().into_bound(py))))
    }

    /// A session whose first write moves the group past this batch in the same commit.
    fn session(&self, py: Python<'_>) -> PyResult<Session> {
        let session = self.session.core(py)?;
        Ok(Session(Guarded::new(session, self.session.handle().clone())))
    }
}
