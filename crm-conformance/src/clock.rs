//! Time and randomness that repeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crm_core::ports::{Clock, Randomness};
use crm_core::{Result, Timestamp};

/// A clock that stands still until it is moved. Clones share one time.
///
/// ```
/// use crm_conformance::TestClock;
/// use crm_core::ports::Clock;
/// let clock = TestClock::at("2026-01-05T09:00:00Z".parse()?);
/// clock.advance_micros(1_500_000);
/// assert_eq!(clock.now().to_string(), "2026-01-05T09:00:01.500Z");
/// # Ok::<(), crm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TestClock {
    micros: Arc<AtomicI64>,
    step: i64,
}

impl TestClock {
    /// A clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        TestClock { micros: Arc::new(AtomicI64::new(start.as_micros())), step: 0 }
    }

    /// The same clock, moving on by `micros` whenever this handle is read.
    #[must_use]
    pub fn stepping(mut self, micros: i64) -> Self {
        self.step = micros;
        self
    }

    /// Sets the time.
    pub fn set(&self, to: Timestamp) {
        self.micros.store(to.as_micros(), Ordering::SeqCst);
    }

    /// Moves the time, back where `micros` is negative.
    pub fn advance_micros(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    /// A Monday morning.
    fn default() -> Self {
        TestClock::at("2026-01-05T09:00:00Z".parse().expect("a point in time"))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.micros.fetch_add(self.step, Ordering::SeqCst);
        let held = micros.clamp(Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
        Timestamp::from_micros(held).expect("held within what can be kept")
    }
}

/// Randomness that is the same for the same seed: SplitMix64 (Steele, Lea, Flood, 2014). Clones
/// share one sequence.
#[derive(Debug, Clone)]
pub struct SeededRandomness {
    state: Arc<AtomicU64>,
}

impl SeededRandomness {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        SeededRandomness { state: Arc::new(AtomicU64::new(seed)) }
    }

    /// The next number of the sequence.
    pub fn next_u64(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.state.fetch_add(GAMMA, Ordering::SeqCst).wrapping_add(GAMMA);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_seeds_differ() {
        let bytes = |seed| {
            let mut bytes = [0; 19];
            SeededRandomness::new(seed).fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
        assert_ne!(bytes(1)[..8], bytes(1)[8..16]);
    }

    /// The first numbers of seed 0 as the algorithm's authors publish them.
    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let random = SeededRandomness::new(0);
        assert_eq!(random.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_clock_stands_still_until_it_is_moved() {
        let clock = TestClock::default();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance_micros(-1);
        assert_eq!(clock.now(), start.saturating_add_micros(-1));
        let stepping = clock.clone().stepping(10);
        assert!(stepping.now() < stepping.now());
        clock.set(start);
        assert_eq!(stepping.now(), start);
    }
}
