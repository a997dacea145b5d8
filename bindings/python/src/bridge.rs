//! Between Rust's futures and Python: one runtime for a process, blocking waits, asyncio's futures.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crm_core::{Error, ErrorKind, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::errors;
use crate::guard::{generation, next_generation};

/// How long a blocking call runs on the thread that made it: a hand-over costs more than most calls take.
const ALONE: Duration = Duration::from_millis(50);
/// How often a blocking call looks whether a signal came (Ctrl-C).
const SIGNALS: Duration = Duration::from_millis(50);
/// How long the interpreter's end waits for what is under way.
const AT_EXIT: Duration = Duration::from_secs(2);

/// The runtime of this process. Locked only while attached to the interpreter and never for long, so that no
/// fork meets it locked.
static RUNTIME: Mutex<State> = Mutex::new(State::None);

enum State {
    None,
    Running(u64, Runtime),
    Ended(u64),
}

/// What a call comes to, as a Python object, made once the interpreter is at hand.
pub(crate) type Made = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send>;

/// A call that has not begun.
pub(crate) type Work = BoxFuture<'static, Result<Made>>;

/// The runtime of this process, made at the first call.
pub(crate) fn handle(py: Python<'_>) -> PyResult<Handle> {
    let mut state = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match &*state {
        State::Running(made, runtime) if *made == generation() => {
            return Ok(runtime.handle().clone());
        }
        State::Ended(ended) if *ended == generation() => {
            return Err(errors::raised(py, &ended_error()));
        }
        State::None | State::Running(..) | State::Ended(_) => {}
    }
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("crm-core")
        .build()
        .map_err(|error| errors::raised(py, &Error::internal(error)))?;
    let handle = runtime.handle().clone();
    // The threads of one from before a fork are the parent's: it cannot be ended here.
    std::mem::forget(std::mem::replace(&mut *state, State::Running(generation(), runtime)));
    Ok(handle)
}

fn ended_error() -> Error {
    Error::new(ErrorKind::Unavailable, "the interpreter is ending")
}

/// Called in the child after a fork.
#[pyfunction]
pub(crate) fn forked() {
    next_generation();
}

/// Called at the interpreter's end: what is under way has two seconds, and nothing calls into Python then.
#[pyfunction]
pub(crate) fn shut_down(py: Python<'_>) {
    let mut state = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *state, State::Ended(generation()));
    drop(state);
    match before {
        State::Running(made, runtime) if made == generation() => {
            py.detach(|| runtime.shutdown_timeout(AT_EXIT));
        }
        State::None | State::Running(..) | State::Ended(_) => std::mem::forget(before),
    }
}

/// Waits for `work` and lets other threads of Python run meanwhile. A signal's exception ends the wait; the work
/// goes on.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    handle: &Handle,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<T> {
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let done = match py.detach(|| on_this_thread(handle, &mut work)) {
        Some(done) => done,
        None => {
            let (sender, receiver) = sync_channel(1);
            let receiver = Mutex::new(receiver);
            handle.spawn(async move { sender.send(work.await) });
            loop {
                py.check_signals()?;
                match py.detach(|| {
                    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
                    receiver.recv_timeout(SIGNALS)
                }) {
                    Ok(done) => break done,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break Ok(Err(ended_error())),
                }
            }
        }
    };
    done.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(|error| errors::raised(py, &error))
}

/// Runs `work` here for a while. Parks with a waker of its own and no timer of the runtime's, which is gone
/// when the interpreter ends; nor does it mind to be called back from within the runtime.
#[allow(clippy::disallowed_methods, reason = "how long a thread parks is no time of the domain's")]
fn on_this_thread<F: Future + Unpin>(handle: &Handle, work: &mut F) -> Option<F::Output> {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }
    let within = Handle::try_current().is_ok();
    let _entered = (!within).then(|| handle.enter());
    let mut run = || {
        let begun = Instant::now();
        WAKER.with(|waker| {
            loop {
                if let Poll::Ready(done) = work.poll_unpin(&mut Context::from_waker(waker)) {
                    return Some(done);
                }
                let left = ALONE.checked_sub(begun.elapsed())?;
                thread::park_timeout(left);
            }
        })
    };
    if within { tokio::task::block_in_place(run) } else { run() }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(said.unwrap_or_else(|| "a panic without a message".to_owned()))
}

/// Begins `work` and gives asyncio's future of it. Cancelling that stops the waiting alone, unless the work
/// `can_end`, that is, loses nothing when it is dropped.
pub(crate) fn start<'py>(
    py: Python<'py>,
    handle: &Handle,
    work: Work,
    can_end: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let inbox = Inbox::of_running_loop(py)?;
    let future = inbox.of.bind(py).call_method0(pyo3::intern!(py, "create_future"))?;
    let slot = future.clone().unbind();
    let task = handle.spawn(async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        inbox.put(slot, done.unwrap_or_else(|panic| Err(panicked(&*panic))));
    });
    if can_end {
        let end = Bound::new(py, End(task.abort_handle()))?;
        future.call_method1(pyo3::intern!(py, "add_done_callback"), (end,))?;
    }
    Ok(future)
}

/// Ends a task when its future is done, which it is also when it was cancelled.
#[pyclass(frozen)]
struct End(AbortHandle);

#[pymethods]
impl End {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
    }
}

/// A future of asyncio's, and what it comes to.
type Done = (Py<PyAny>, Result<Made>);

/// What is done and not yet told to a loop: many results are told by one call.
#[derive(Clone)]
struct Inbox {
    of: Arc<Py<PyAny>>,
    done: Arc<Mutex<Vec<Done>>>,
    /// A thread that is missing in a child may hold the lock there.
    generation: u64,
}

thread_local! {
    /// Of the loop that was last seen in this thread.
    static INBOX: std::cell::RefCell<Option<Inbox>> = const { std::cell::RefCell::new(None) };
}

impl Inbox {
    fn of_running_loop(py: Python<'_>) -> PyResult<Inbox> {
        static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let running = RUNNING.import(py, "asyncio", "get_running_loop")?.call0()?;
        INBOX.with_borrow_mut(|inbox| {
            if let Some(inbox) = inbox
                && inbox.generation == generation()
                && inbox.of.bind(py).is(&running)
            {
                return Ok(inbox.clone());
            }
            let of = Arc::new(running.unbind());
            let new = Inbox { of, done: Arc::default(), generation: generation() };
            *inbox = Some(new.clone());
            Ok(new)
        })
    }

    fn put(&self, future: Py<PyAny>, done: Result<Made>) {
        let first = {
            let mut waiting = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((future, done));
            waiting.len() == 1
        };
        if first {
            let told = Python::try_attach(|py| {
                let tell = Bound::new(py, Tell(self.clone()))?;
                let name = pyo3::intern!(py, "call_soon_threadsafe");
                self.of.bind(py).call_method1(name, (tell,)).map(drop)
            });
            // The loop is closed, and so nobody waits.
            if !matches!(told, Some(Ok(()))) {
                drop(self.take());
            }
        }
    }

    fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs in the loop's thread.
#[pyclass(frozen)]
struct Tell(Inbox);

#[pymethods]
impl Tell {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        for (future, done) in self.0.take() {
            let future = future.bind(py);
            if future.call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
                continue;
            }
            let made = match done {
                Ok(made) => made(py),
                Err(error) => Err(errors::raised(py, &error)),
            };
            match made {
                Ok(value) => future.call_method1(pyo3::intern!(py, "set_result"), (value,))?,
                Err(error) => {
                    let error = error.into_value(py);
                    future.call_method1(pyo3::intern!(py, "set_exception"), (error,))?
                }
            };
        }
        Ok(())
    }
}
