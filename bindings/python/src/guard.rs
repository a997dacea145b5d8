//! What must not be touched, nor even dropped, in a process that was forked after it was made.

use std::sync::atomic::{AtomicU64, Ordering};

use crm_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// How often this process and those before it were forked.
static GENERATION: AtomicU64 = AtomicU64::new(0);

pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Called in the child after a fork.
pub(crate) fn next_generation() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A value that lives in one process: in a child the threads that it works with are missing, and what it
/// holds (connections, locks of files) is the parent's.
pub(crate) struct Guarded<T> {
    value: Option<T>,
    handle: Handle,
    generation: u64,
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T, handle: Handle) -> Self {
        Guarded { value: Some(value), handle, generation: generation() }
    }

    /// # Errors
    ///
    /// `conflict` in another process than the one that made it.
    pub(crate) fn get(&self) -> Result<&T> {
        match &self.value {
            Some(value) if self.generation == generation() => Ok(value),
            Some(_) | None => Err(Error::new(
                ErrorKind::Conflict,
                "this was opened before the process was forked; open a Crm in the child process",
            )),
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if self.generation == generation() {
            // Pools end their connections by tasks.
            let _within = self.handle.enter();
            self.value = None;
        } else {
            std::mem::forget(self.value.take());
        }
    }
}
