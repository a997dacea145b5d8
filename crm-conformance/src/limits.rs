//! Limits.

use std::time::Duration;

use crm_core::Timestamp;
use crm_core::ports::{Allowance, Quota};

use crate::case::cases;
use crate::env::LimitsEnv;

fn start() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

impl LimitsEnv {
    async fn take(&self, node: usize, key: &str, quota: Quota, now: Timestamp) -> Allowance {
        self.nodes[node].take(key, quota, now).await.unwrap()
    }
}

cases! {
    async fn limits_count_by_the_rule(env: &LimitsEnv) {
        let quotas = [
            Quota::new(3, Duration::from_secs(10)),
            Quota::new(1, Duration::from_micros(1)),
            Quota::per(100, Duration::from_secs(7)),
            Quota::new(1_000_000, Duration::from_millis(1)),
            Quota::new(2, Duration::from_hours(24 * 365)),
        ];
        // Forward, and now and then back, as the clocks of two nodes differ.
        let steps = [0, 0, 0, 1, 2_500_000, -1_000_000, 9_999_999, 70_001, 0, 0, 40_000_000, 0, -7];
        for (number, quota) in (1..).zip(quotas) {
            let (key, mut now, mut full_at) = (format!("key {number}"), start(), None);
            for (turn, step) in steps.iter().cycle().take(60).enumerate() {
                now = now.saturating_add_micros(*step);
                let (expected, after) = quota.decide(full_at, now);
                full_at = after.or(full_at);
                let taken = env.take(turn % 2, &key, quota, now).await;
                assert_eq!(taken, expected, "{quota:?}, {turn}");
            }
        }
    }

    async fn keys_are_counted_apart(env: &LimitsEnv) {
        let quota = Quota::new(1, Duration::from_secs(60));
        let long = "x".repeat(10_000);
        for key in ["a", "b", "", "a b", "{a}", "a\r\n", &long, &format!("{long}y")] {
            assert!(env.take(0, key, quota, start()).await.allowed, "{key}");
            assert!(!env.take(1, key, quota, start()).await.allowed, "{key}");
        }
    }

    async fn what_is_given_back_is_taken_again(env: &LimitsEnv) {
        let (quota, now) = (Quota::new(2, Duration::from_secs(60)), start());
        env.nodes[0].give_back("a", quota, now).await.unwrap();
        for _ in 0..2 {
            assert!(env.take(0, "a", quota, now).await.allowed);
        }
        assert!(!env.take(1, "a", quota, now).await.allowed);
        env.nodes[1].give_back("a", quota, now).await.unwrap();
        assert!(env.take(0, "a", quota, now).await.allowed);
        assert!(!env.take(1, "a", quota, now).await.allowed);
        for _ in 0..5 {
            env.nodes[0].give_back("a", quota, now).await.unwrap();
        }
        for allowed in [true, true, false] {
            assert_eq!(env.take(1, "a", quota, now).await.allowed, allowed, "no more than there was");
        }
    }

    async fn who_takes_at_once_takes_no_more(env: &LimitsEnv) {
        let quota = Quota::new(20, Duration::from_secs(60));
        let takes = (0..100).map(|number| env.take(number % 2, "a", quota, start()));
        let taken = futures::future::join_all(takes).await;
        let mut left: Vec<u32> =
            taken.iter().filter(|one| one.allowed).map(|one| one.remaining).collect();
        left.sort_unstable();
        assert_eq!(left, Vec::from_iter(0..20));
    }
}
