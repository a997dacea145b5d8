//! Time and identifiers, from the ports that give them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::error::Result;
use crate::id::{Id, IdKind};
use crate::ports::{Clock, Randomness};
use crate::time::Timestamp;

/// The clock, and a source of identifiers which never goes backwards within one process.
pub(crate) struct Env {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    last_id_micros: AtomicI64,
}

impl Env {
    pub(crate) fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Env { clock, randomness, last_id_micros: AtomicI64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fills `bytes` with values that nobody can foresee.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.randomness.fill(bytes)
    }

    pub(crate) fn new_id<K: IdKind>(&self) -> Result<Id<K>> {
        self.new_uuid().map(Id::from_uuid)
    }

    /// A UUIDv7 (RFC 9562, 5.7) whose 12 bits after the milliseconds hold the microseconds (its
    /// method 3), counted on where the clock stands still: ids of one process are in the order of
    /// their making, so they append to an index instead of scattering over it.
    pub(crate) fn new_uuid(&self) -> Result<Uuid> {
        let now = self.clock.now().as_micros().max(0);
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let micros =
            match self.last_id_micros.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
                Ok(last) | Err(last) => now.max(last.saturating_add(1)),
            };
        let (millis, rest) = (micros / 1000, micros % 1000);
        let mut bytes = [0u8; 16];
        self.randomness.fill(&mut bytes)?;
        let random = u128::from_be_bytes(bytes) & ((1 << 62) - 1);
        // 1000 microseconds spread over the 4096 values of 12 bits.
        let fraction = rest * 4096 / 1000;
        let value = (u128::from(millis.unsigned_abs()) << 80)
            | (0x7 << 76)
            | (u128::from(fraction.unsigned_abs()) << 64)
            | (0b10 << 62)
            | random;
        Ok(Uuid::from_u128(value))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1_700_000_000_123_456).unwrap()
        }
    }

    #[test]
    fn ids_are_version_7_and_grow_while_the_clock_stands_still() {
        let env = Env::new(Arc::new(Stopped), Arc::new(crate::ports::SystemRandomness));
        let ids: Vec<Uuid> = (0..5000).map(|_| env.new_uuid().unwrap()).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(ids[0].as_u128() >> 80, 1_700_000_000_123);
    }
}
