//! A clock that goes on by a microsecond whenever it is read, and as far as it is moved. Clones share one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crm_core::Timestamp;
use crm_core::ports::Clock;

#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        let start: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        TestClock(Arc::new(AtomicI64::new(start.as_micros())))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}
