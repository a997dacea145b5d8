//! The scenarios of `parity/` taken in Rust and over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod http;
mod rust;
mod scenario;

use scenario::{Front, scenarios, take};

fn run<F: Front>(open: impl AsyncFn() -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut wrong = Vec::new();
    let scenarios = scenarios();
    for scenario in &scenarios {
        let taken = runtime.block_on(async { take(&open().await, scenario).await });
        if let Err(error) = taken {
            wrong.push(format!("{}: {error}", scenario.name));
        }
    }
    assert!(scenarios.len() >= 14, "only {} scenarios are there", scenarios.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), scenarios.len(), wrong.join("\n"));
}

#[test]
fn in_rust() {
    run(rust::Rust::open);
}

#[test]
fn over_http() {
    run(http::Http::open);
}

#[test]
fn a_step_that_comes_out_otherwise_is_told() {
    let wrong = serde_json::json!({ "name": "wrong", "steps": [
        { "call": "contacts.create", "with": { "first_name": "Ada" }, "gives": { "version": 2 } },
    ] });
    let scenario = serde_json::from_value(wrong).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let taken = runtime.block_on(async { take(&rust::Rust::open().await, &scenario).await });
    assert_eq!(taken.unwrap_err(), "step 1, contacts.create: at .version: 1, not 2");
}
