//! Every case goes red on a store with the fault that it is there to find.

use crm_conformance::Configuration;

use crate::store::{Fault, With};

/// Each case with a fault that it must catch.
const CAUGHT_BY: &[(&str, Fault)] = &[
    ("tenant_is_found", Fault::IgnoresSlugs),
    ("tenant_slug_is_unique", Fault::SwallowsConflicts),
    ("a_tenant_changes_by_version", Fault::SwallowsStaleChanges),
    ("tenants_are_listed_by_slug", Fault::RepeatsLastOfPage),
    ("users_are_per_tenant", Fault::LeaksTenants),
    ("users_are_listed", Fault::SkipsFirstOfPage),
    ("user_emails_are_unique", Fault::SwallowsConflicts),
    ("a_user_is_read_as_written", Fault::ForgetsUpdates),
    ("credentials_are_per_tenant", Fault::LeaksTenants),
    ("a_credential_is_read_as_written", Fault::ForgetsUpdates),
    ("a_credential_is_read_as_written", Fault::CutsAtNul),
    ("accounts_are_found_by_name", Fault::NamesOneAccount),
    ("credentials_are_listed", Fault::SkipsFirstOfPage),
    ("useless_sign_ins_are_forgotten", Fault::KeepsUselessSignIns),
    ("a_stale_credential_is_refused", Fault::SwallowsStaleChanges),
    ("refreshes_of_one_token_agree", Fault::SwallowsStaleChanges),
    ("outcomes_are_remembered", Fault::LeaksTenants),
    ("outcomes_are_remembered", Fault::ForgetsOutcomes),
    ("outcomes_are_remembered", Fault::IncludesEnds),
    ("an_outcome_is_written_once", Fault::SwallowsConflicts),
    ("companies_are_per_tenant", Fault::LeaksTenants),
    ("a_company_is_read_as_written", Fault::DropsDomains),
    ("company_keys_are_unique", Fault::SwallowsConflicts),
    ("company_keys_follow_updates", Fault::KeepsOldKeys),
    ("companies_are_listed", Fault::SkipsFirstOfPage),
    ("contacts_are_per_tenant", Fault::LeaksTenants),
    ("a_contact_is_read_as_written", Fault::CutsAtNul),
    ("a_contact_is_read_as_written", Fault::ForgetsUpdates),
    ("contacts_come_in_the_order_asked_for", Fault::SortsByIds),
    ("contact_emails_are_unique", Fault::ForgetsEmails),
    ("deleting_frees_the_email", Fault::KeepsDeletedEmails),
    ("restoring_checks_the_email", Fault::ForgetsEmails),
    ("contact_keys_follow_updates", Fault::KeepsOldKeys),
    ("a_shared_key_names_the_first_contact", Fault::NamesLastHolder),
    ("contacts_are_filtered", Fault::IncludesEnds),
    ("contact_pages_are_whole", Fault::SkipsTies),
    ("contacts_are_counted", Fault::CountsDeleted),
    ("search_is_per_tenant", Fault::SharesWords),
    ("search_follows_every_change", Fault::CachesSearch),
    ("words_are_found_by_bytes", Fault::TakesPatterns),
    ("candidates_come_in_tiers", Fault::ReversesCandidates),
    ("search_terms_are_kept_as_given", Fault::ChangesTerms),
    ("activities_are_per_tenant", Fault::LeaksTenants),
    ("an_activity_is_read_as_written", Fault::CutsAtNul),
    ("contact_changes_are_on_the_timeline", Fault::ForgetsTimeline),
    ("activities_are_filtered", Fault::IncludesEnds),
    ("timeline_pages_are_whole", Fault::SkipsTies),
    ("stats_agree_with_the_list", Fault::StatsOfEverybody),
    ("events_are_per_tenant", Fault::LeaksTenants),
    ("events_resume_without_a_gap", Fault::SkipsFirstOfPage),
    ("events_keep_the_order_of_changes", Fault::ReordersEvents),
    ("every_write_has_an_event", Fault::ForgetsEvents),
    ("audit_is_per_tenant", Fault::LeaksTenants),
    ("every_write_is_audited", Fault::ForgetsAudit),
    ("audit_pages_are_whole", Fault::SkipsFirstOfPage),
    ("changes_apply_whole_or_not_at_all", Fault::LeavesEventsBehind),
    ("later_changes_see_earlier_ones", Fault::SwallowsConflicts),
    ("a_large_unit_is_whole", Fault::LosesHalf),
    ("a_stale_change_is_refused", Fault::SwallowsStaleChanges),
    ("one_of_many_equal_creates_wins", Fault::ForgetsEmails),
    ("contended_updates_all_land", Fault::SwallowsStaleChanges),
    ("a_dropped_commit_is_whole_or_absent", Fault::StopsWhenDropped),
    ("references_stay_in_the_tenant", Fault::SwallowsMissing),
];

fn with(fault: Fault) -> Configuration {
    Configuration::new("planted", With(fault))
}

#[test]
fn every_case_catches_its_fault() {
    let faults: Vec<(&str, Configuration)> =
        CAUGHT_BY.iter().map(|(case, fault)| (*case, with(*fault))).collect();
    crate::every_fault_is_caught(&with(Fault::None), &faults);
}
