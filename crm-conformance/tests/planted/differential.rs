//! The store in memory answers like itself, and a store with a fault does not.

use crm_conformance::differential;

use crate::store::{Fault, With};

const CASES: u32 = 64;

#[test]
fn two_stores_without_a_fault_answer_alike() {
    differential(&With(Fault::None), &With(Fault::None), CASES, 1).unwrap();
}

#[test]
fn faults_are_found() {
    for fault in [
        Fault::LeaksTenants,
        Fault::SkipsFirstOfPage,
        Fault::SwallowsConflicts,
        Fault::ForgetsEmails,
        Fault::ForgetsUpdates,
        Fault::DropsDomains,
        Fault::CutsAtNul,
        Fault::KeepsOldKeys,
        Fault::KeepsDeletedEmails,
        Fault::IncludesEnds,
        Fault::SkipsTies,
        Fault::CountsDeleted,
        Fault::CachesSearch,
        Fault::ForgetsTimeline,
        Fault::StatsOfEverybody,
        Fault::ForgetsAudit,
        Fault::ForgetsEvents,
        Fault::ReordersEvents,
        Fault::LeavesEventsBehind,
    ] {
        let divergence = differential(&With(Fault::None), &With(fault), CASES, 2)
            .expect_err(&format!("{fault:?} was not found"));
        assert!(!divergence.commands.is_empty(), "{divergence}");
        assert!(divergence.commands.len() <= 12, "{fault:?} was not shortened: {divergence}");
    }
}

#[test]
fn a_seed_repeats_its_commands() {
    let run = |seed| {
        differential(&With(Fault::None), &With(Fault::ForgetsAudit), CASES, seed)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(run(3), run(3));
}
