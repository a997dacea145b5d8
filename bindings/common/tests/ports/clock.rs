//! Clocks that hang, raise, or do not tell the time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crm_core::ports::Clock as _;
use crm_core::{ErrorKind, Timestamp};
use crm_embed::ports::{HostClock, HostError, HostValue, TimeLimits};
use tokio::time;

use crate::scripted::Scripted;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn telling(text: &'static str) -> Arc<Scripted> {
    Scripted::answering(move |_| Ok(at(text).into()))
}

#[tokio::test]
async fn the_hosts_time_is_the_time() {
    for answer in ["2026-03-01T09:30:00Z", "2026-03-01T10:30:00+01:00"] {
        let as_text = Scripted::answering(move |_| Ok(answer.into()));
        for host in [as_text, telling("2026-03-01T09:30:00Z")] {
            let clock = HostClock::new(host.clone(), TimeLimits::default()).unwrap();
            assert_eq!(clock.now(), at("2026-03-01T09:30:00Z"));
            host.then(|_| Ok(at("2020-01-01T00:00:00Z").into()));
            assert_eq!(clock.now(), at("2020-01-01T00:00:00Z"), "a host may turn its clock back");
        }
    }
}

#[tokio::test]
async fn a_clock_that_does_not_tell_the_time_is_refused() {
    let clock = |host| HostClock::new(host, TimeLimits::default()).unwrap_err();
    let error = clock(Scripted::raising(|| HostError::new("broken")));
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(clock(Scripted::hanging()).kind(), ErrorKind::Unavailable);
    assert_eq!(clock(Scripted::without(&["now"])).fields()[0].field, "clock.now");
    let naive = "a datetime without a time zone";
    let error = clock(Scripted::answering(|_| Ok(HostValue::Unreadable(naive.to_owned()))));
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().ends_with(naive), "{error}");
    for wrong in ["2026-03-01T09:30:00", "now"] {
        let error = clock(Scripted::answering(move |_| Ok(wrong.into())));
        assert!(error.message().starts_with("`now` of the host's clock"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_goes_on_where_the_clock_has_failed() {
    let host = telling("2026-03-01T09:30:00Z");
    let clock = HostClock::new(host.clone(), TimeLimits::default()).unwrap();
    host.then(|_| Err(HostError::new("broken")));
    time::advance(Duration::from_secs(5)).await;
    assert_eq!(clock.now(), at("2026-03-01T09:30:05Z"));
    host.then(|_| Ok(HostValue::Null));
    time::advance(Duration::from_secs(5)).await;
    assert_eq!(clock.now(), at("2026-03-01T09:30:10Z"));
    host.then(|_| Ok(at("2026-03-01T12:00:00Z").into()));
    assert_eq!(clock.now(), at("2026-03-01T12:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_hangs_is_left_alone_for_a_while() {
    let host = telling("2026-03-01T09:30:00Z");
    let clock = HostClock::new(host.clone(), TimeLimits::default()).unwrap();
    host.hang();
    assert_eq!(clock.now(), at("2026-03-01T09:30:00Z"));
    let calls = host.calls.load(Ordering::SeqCst);
    time::advance(Duration::from_secs(9)).await;
    assert_eq!(clock.now(), at("2026-03-01T09:30:09Z"));
    assert_eq!(host.calls.load(Ordering::SeqCst), calls, "it was asked again at once");
    host.then(|_| Ok(at("2026-03-01T12:00:00Z").into()));
    time::advance(Duration::from_secs(2)).await;
    assert_eq!(clock.now(), at("2026-03-01T12:00:00Z"));
}
