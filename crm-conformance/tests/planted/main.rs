//! Stores with a fault each, which the cases and the comparison of stores must find.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod blobs;
mod carriers;
mod cases;
mod differential;
mod nodes;
mod store;

use crm_conformance::Configuration;

/// Every case of the port passes on the sound adapter, and each goes red on those with the fault that it is
/// there to find.
fn every_fault_is_caught(sound: &Configuration, faults: &[(&str, Configuration)]) {
    let mut caught = 0;
    for case in crm_conformance::cases().filter(|case| case.is_for(sound)) {
        case.run(sound).unwrap();
        let planted: Vec<_> = faults.iter().filter(|(name, _)| *name == case.name).collect();
        assert!(!planted.is_empty(), "no fault is planted for {case:?}");
        // At once, for some faults show in that nothing comes for a while.
        std::thread::scope(|scope| {
            for (_, faulty) in &planted {
                scope.spawn(move || {
                    assert!(case.run(faulty).is_err(), "{case:?} passes in spite of {faulty:?}");
                });
            }
        });
        caught += planted.len();
    }
    assert_eq!(caught, faults.len(), "a fault is planted for a case that is not there");
}
