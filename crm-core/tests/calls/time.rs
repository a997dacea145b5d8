//! Time that passes when a test says so, for those who wait for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crm_core::Timestamp;
use crm_core::ports::Clock as _;
use futures::channel::oneshot;

use super::clock::TestClock;

/// Whoever waits for a time, and what wakes them.
type Waiting = Vec<(Timestamp, oneshot::Sender<()>)>;

/// Moves a clock from one awaited moment to the next. Clones are the same time.
#[derive(Clone)]
pub(crate) struct Time {
    pub(crate) clock: TestClock,
    waiting: Arc<Mutex<Waiting>>,
}

impl Time {
    pub(crate) fn of(clock: &TestClock) -> Self {
        Time { clock: clock.clone(), waiting: Arc::default() }
    }

    pub(crate) fn sleep(&self, pause: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (wake, woken) = oneshot::channel();
        self.waiting.lock().unwrap().push((self.clock.now().after(pause), wake));
        async move { woken.await.unwrap() }
    }

    /// Lets so much time pass, and everybody else do what they can at each moment of it.
    pub(crate) async fn pass(&self, time: Duration) {
        let end = self.clock.now().after(time);
        loop {
            settle().await;
            let now = self.clock.now();
            let next = self.waiting.lock().unwrap().iter().map(|(at, _)| *at).min();
            let next = next.filter(|next| *next <= end).unwrap_or(end).max(now);
            self.clock.advance(next.since(now));
            let due: Waiting = {
                let mut waiting = self.waiting.lock().unwrap();
                waiting.extract_if(.., |(at, _)| *at <= next).collect()
            };
            if due.is_empty() && next == end {
                return settle().await;
            }
            for (_, wake) in due {
                // Whoever waited may be gone.
                let _ = wake.send(());
            }
        }
    }
}

/// Lets the other futures of the task go on until they wait.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
