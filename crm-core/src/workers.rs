//! Computations that take milliseconds, off the threads that serve everybody.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use crate::error::{Error, Result};
use crate::ports::{Computation, Workers};

/// The default [`Workers`]: a few threads of their own and a short queue before them. The threads start
/// with the first computation.
///
/// A password's hash takes a core and 19 MiB for some 15 ms, so the number of threads bounds both, and
/// the queue bounds how long anybody waits.
#[derive(Debug)]
pub struct WorkerThreads {
    threads: usize,
    waiting: usize,
    queue: OnceLock<Option<SyncSender<Computation>>>,
}

impl WorkerThreads {
    /// At most `threads` computations at once (1 at least) and `waiting` behind them.
    pub fn new(threads: usize, waiting: usize) -> Self {
        WorkerThreads { threads: threads.max(1), waiting, queue: OnceLock::new() }
    }

    fn start(&self) -> Option<SyncSender<Computation>> {
        let (queue, work) = sync_channel::<Computation>(self.waiting);
        let work = Arc::new(Mutex::new(work));
        let started = (0..self.threads)
            .filter(|_| {
                let work = Arc::clone(&work);
                spawn(move || serve(&work)).is_ok()
            })
            .count();
        (started > 0).then_some(queue)
    }
}

impl Default for WorkerThreads {
    /// Half of the machine's cores, so that a flood of sign-ins leaves the other half to the rest, and
    /// 16 waiting for each.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 2).max(1);
        WorkerThreads::new(threads, threads * 16)
    }
}

#[allow(clippy::disallowed_types, reason = "the default of a port that a host can replace")]
fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name("crm-worker".to_owned()).spawn(work).map(drop)
}

/// Works until the queue is dropped.
fn serve(work: &Mutex<Receiver<Computation>>) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(computation) => computation(),
            Err(_) => return,
        }
    }
}

impl Workers for WorkerThreads {
    fn submit(&self, computation: Computation) -> Result<()> {
        let Some(queue) = self.queue.get_or_init(|| self.start()) else {
            return Err(Error::unavailable("no thread can be started", "spawn failed"));
        };
        queue.try_send(computation).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::rate_limited(
                "too many sign-ins at once; try again in a moment",
                Duration::from_secs(1),
            ),
            TrySendError::Disconnected(_) => Error::internal("the workers have ended"),
        })
    }
}

/// A computation that waits for its turn, as the metrics show it.
struct Waiting(Instant);

impl Waiting {
    #[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
    fn begin() -> Self {
        metrics::gauge!("crm_password_hashes_waiting").increment(1);
        Waiting(Instant::now())
    }
}

impl Drop for Waiting {
    #[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
    fn drop(&mut self) {
        metrics::gauge!("crm_password_hashes_waiting").decrement(1);
        metrics::histogram!("crm_password_hash_wait_seconds").record(self.0.elapsed());
    }
}

/// Runs `compute` on the workers and waits for what it gives.
pub(crate) async fn offload<T: Send + 'static>(
    workers: &dyn Workers,
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (answer, done) = oneshot::channel();
    let waiting = Waiting::begin();
    workers.submit(Box::new(move || {
        drop(waiting);
        // Nobody waits any more: the place in the queue is given to the next.
        if !answer.is_canceled() {
            let _ = answer.send(compute());
        }
    }))?;
    done.await.map_err(Error::internal)
}
