//! Time that a host gives.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crm_core::ports::Clock;
use crm_core::{Error, Result, Timestamp};
use tokio::time::Instant;

use super::TimeLimits;
use super::door::Door;
use super::host::{Host, HostError, raised};

/// How long a clock that has not answered in time is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(10);

/// A clock of the host's.
///
/// It is asked once when it is made, and refused where it does not tell the time. Later nobody can be told that
/// it has failed, so the last time it gave is taken and moved on by what the machine says has passed since; the
/// log has one warning, and one line when it tells the time again. One that has not answered in time is not
/// asked again for 10 seconds, or all that the CRM does would wait for it.
#[derive(Debug)]
pub struct HostClock {
    door: Door,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The last time that the clock gave, and when that was by the machine.
    time: Timestamp,
    at: Instant,
    failing: bool,
    left_alone_until: Option<Instant>,
}

impl HostClock {
    /// A clock that tells the time.
    ///
    /// # Errors
    ///
    /// `invalid` where it has no method `now`; what came of asking it.
    pub fn new(host: Arc<dyn Host>, limits: TimeLimits) -> Result<Self> {
        let door = Door::new(host, "clock", limits, &["now"])?;
        let time = ask(&door)?;
        let known = Known { time, at: Instant::now(), failing: false, left_alone_until: None };
        Ok(HostClock { door, known: Mutex::new(known) })
    }
}

fn ask(door: &Door) -> Result<Timestamp> {
    door.call_briefly("now", Vec::new(), door.limits.clock)?.time()
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_at = Instant::now();
        let left_alone = known().left_alone_until.is_some_and(|until| asked_at < until);
        let time = if left_alone { None } else { Some(ask(&self.door)) };
        let mut known = known();
        match time {
            Some(Ok(time)) => {
                if known.failing {
                    tracing::info!("the host's clock tells the time again");
                }
                // Of two threads the later one may have been told the earlier time: it is only where to go on.
                *known = Known { time, at: Instant::now(), failing: false, left_alone_until: None };
                return time;
            }
            Some(Err(error)) => {
                let late = raised::<HostError>(&error).is_some_and(|error| error.late);
                known.fails(&error, late || asked_at.elapsed() >= self.door.limits.clock);
            }
            None => {}
        }
        known.time.after(known.at.elapsed())
    }
}

impl Known {
    fn fails(&mut self, error: &Error, late: bool) {
        if !self.failing {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the host's clock has failed; time goes on by the machine's");
            self.failing = true;
        }
        if late {
            self.left_alone_until = Some(Instant::now() + LEFT_ALONE);
        }
    }
}
