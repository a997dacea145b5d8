//! How often something may be done.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::ports::{Allowance, Limits, Quota};
use crate::time::Timestamp;

/// The default [`Limits`]: counts in this process.
///
/// It keeps one point in time for each key that is not at rest, by the generic cell rate algorithm
/// (ITU-T I.371, annex A), and forgets the others when it grows.
#[derive(Debug, Default)]
pub struct LocalLimits {
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Timestamp>>; SHARDS],
}

const SHARDS: usize = 16;
/// Keys of a shard from which on those at rest are looked for.
const SWEEP_FROM: usize = 4096;

#[async_trait]
impl Limits for LocalLimits {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Allowance> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        let before = shard.get(&hash).copied();
        let (allowance, after) = quota.decide(before, now);
        if let Some(after) = after {
            shard.insert(hash, after);
            if shard.len() >= SWEEP_FROM && shard.len().is_power_of_two() {
                shard.retain(|_, full_at| *full_at > now);
            }
        }
        Ok(allowance)
    }

    async fn give_back(&self, key: &str, quota: Quota, now: Timestamp) -> Result<()> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        if let Some(full_at) = shard.get_mut(&hash) {
            *full_at = quota.give_back(*full_at, now);
        }
        Ok(())
    }
}

impl LocalLimits {
    fn shard(&self, hash: u64) -> MutexGuard<'_, HashMap<u64, Timestamp>> {
        let [first, others @ ..] = &self.shards;
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let shard = place.checked_sub(1).and_then(|place| others.get(place)).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Quota {
    /// `burst` at once (1 at least), one more every `interval` (1 µs at least).
    pub fn new(burst: u32, interval: Duration) -> Self {
        Quota { burst: burst.max(1), interval: interval.max(Duration::from_micros(1)) }
    }

    /// `count` in every `period`, all at once where they were saved up.
    pub fn per(count: u32, period: Duration) -> Self {
        Quota::new(count, period / count.max(1))
    }

    /// When the whole burst will be there again, after one was given back.
    pub fn give_back(self, full_at: Timestamp, now: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        full_at.saturating_add_micros(interval.saturating_neg()).max(now)
    }

    /// One taken at `now` by who will have the whole burst again at `full_at`, and when that will be
    /// after it; `None` where nothing was taken. For every [`Limits`], wherever it keeps that time.
    pub fn decide(
        self,
        full_at: Option<Timestamp>,
        now: Timestamp,
    ) -> (Allowance, Option<Timestamp>) {
        let full_at = full_at.map_or(now, |at| at.max(now));
        let next = full_at.after(self.interval);
        let whole = self.interval.saturating_mul(self.burst);
        let used = next.since(now);
        if used > whole {
            let allowance = Allowance {
                allowed: false,
                remaining: 0,
                full_after: full_at.since(now),
                retry_after: used - whole,
            };
            return (allowance, None);
        }
        let left = (whole - used).as_micros() / self.interval.as_micros().max(1);
        let allowance = Allowance {
            allowed: true,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            full_after: used,
            retry_after: Duration::ZERO,
        };
        (allowance, Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).unwrap().after(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_passes_and_then_one_an_interval() {
        let quota = Quota::new(3, Duration::from_secs(10));
        let mut full_at = None;
        let mut take = |now| {
            let (allowance, after) = quota.decide(full_at, now);
            full_at = after.or(full_at);
            (allowance.allowed, allowance.remaining, allowance.retry_after.as_millis())
        };
        assert_eq!(
            [take(at(0)), take(at(0)), take(at(0))],
            [(true, 2, 0), (true, 1, 0), (true, 0, 0)]
        );
        assert_eq!(take(at(0)), (false, 0, 10_000));
        assert_eq!(take(at(9_999)), (false, 0, 1));
        assert_eq!(take(at(10_000)), (true, 0, 0));
        assert_eq!(take(at(10_001)), (false, 0, 9_999));
        assert_eq!(take(at(60_000)), (true, 2, 0));
    }

    proptest! {
        /// Whatever the moments, no stretch of time sees more than a burst and what the intervals give.
        #[test]
        fn never_more_than_the_quota(steps in proptest::collection::vec(0u64..3_000, 1..200)) {
            let quota = Quota::new(5, Duration::from_secs(1));
            let (mut full_at, mut now, mut taken) = (None, 0, Vec::new());
            for step in steps {
                now += step;
                let (allowance, after) = quota.decide(full_at, at(now));
                full_at = after.or(full_at);
                if allowance.allowed { taken.push(now) }
            }
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    prop_assert!((last - first + 1) as u64 <= 5 + (end - start) / 1000);
                }
            }
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let limits = LocalLimits::default();
        let quota = Quota::new(2, Duration::from_secs(1));
        let take = || futures::executor::block_on(limits.take("a", quota, at(0))).unwrap().allowed;
        assert_eq!([take(), take(), take()], [true, true, false]);
        futures::executor::block_on(limits.give_back("a", quota, at(0))).unwrap();
        assert_eq!([take(), take()], [true, false]);
    }

    #[test]
    fn keys_are_counted_apart() {
        let limits = LocalLimits::default();
        let quota = Quota::new(1, Duration::from_secs(1));
        let take =
            |key| futures::executor::block_on(limits.take(key, quota, at(0))).unwrap().allowed;
        assert_eq!([take("a"), take("a"), take("b")], [true, false, true]);
    }
}
