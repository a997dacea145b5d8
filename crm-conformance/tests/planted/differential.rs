//! The store in memory answers like itself, and a store with a fault does not.

use crm_conformance::differential;

use crate::store::{Fault, With};

const CASES: u32 = 64;
/// More where a fault is looked for, which ends at the first that is found.
const TRIES: u32 = 256;

#[test]
fn two_stores_without_a_fault_answer_alike() {
    differential(&With(Fault::None), &With(Fault::None), CASES, 1).unwrap();
}

#[test]
fn faults_of_reads_are_found() {
    for fault in [
        Fault::LeaksTenants,
        Fault::SkipsFirstOfPage,
        Fault::DropsDomains,
        Fault::CutsAtNul,
        Fault::IncludesEnds,
        Fault::SkipsTies,
        Fault::CountsDeleted,
        Fault::CachesSearch,
        Fault::StatsOfEverybody,
        Fault::NamesOneAccount,
    ] {
        find(fault);
    }
}

#[test]
fn faults_of_writes_are_found() {
    for fault in [
        Fault::ForgetsEmails,
        Fault::ForgetsUpdates,
        Fault::KeepsOldKeys,
        Fault::KeepsDeletedEmails,
        Fault::ForgetsTimeline,
        Fault::ForgetsOutcomes,
        Fault::ForgetsUses,
        Fault::ForgetsAudit,
        Fault::ForgetsEvents,
        Fault::ReordersEvents,
        Fault::LeavesEventsBehind,
    ] {
        find(fault);
    }
}

fn find(fault: Fault) {
    let Err(divergence) = differential(&With(Fault::None), &With(fault), TRIES, 2) else {
        panic!("{fault:?} was not found");
    };
    assert!(!divergence.commands.is_empty(), "{divergence}");
    assert!(divergence.commands.len() <= 12, "{fault:?} was not shortened: {divergence}");
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
