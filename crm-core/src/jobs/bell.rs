//! Tells workers of this process that jobs have been enqueued, so that they need not wait for their next look.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Rings whoever listens. Nothing is lost: who listens from a count that is passed is answered at once.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    times: u64,
    listeners: Vec<Waker>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let listeners = {
            let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            rung.times += 1;
            std::mem::take(&mut rung.listeners)
        };
        listeners.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn times(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).times
    }

    /// Answers when it has rung more than `times`.
    pub(crate) fn after(self: &std::sync::Arc<Self>, times: u64) -> Listening {
        Listening { bell: std::sync::Arc::clone(self), times }
    }
}

pub(crate) struct Listening {
    bell: std::sync::Arc<Bell>,
    times: u64,
}

impl Future for Listening {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut rung = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rung.times > self.times {
            return Poll::Ready(());
        }
        // A listener that is asked again has one waker; others have one each.
        if !rung.listeners.iter().any(|waker| waker.will_wake(context.waker())) {
            rung.listeners.push(context.waker().clone());
        }
        Poll::Pending
    }
}
