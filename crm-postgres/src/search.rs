//! Search terms and their look-up.

use std::collections::HashMap;

use async_trait::async_trait;
use crm_core::contacts::search::{Candidate, CandidateQuery, SearchStore, WordLookup};
use crm_core::{ContactId, Result, TenantScope};

use crate::PostgresStore;
use crate::rows::{get, is_text};
use crate::statement::Value;

#[async_trait]
impl SearchStore for PostgresStore {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        let hashes: Vec<i32> = lookup.hashes.iter().map(|hash| hash.cast_signed()).collect();
        let texts = |texts: &[String]| -> Vec<String> {
            texts.iter().filter(|text| is_text(text)).cloned().collect()
        };
        let values = vec![
            hashes.into(),
            texts(&lookup.word_prefixes).into(),
            texts(&lookup.term_prefixes).into(),
            bound(lookup.most).into(),
        ];
        let rows = self.call(scope, "find_words", values).await?;
        rows.first().map_or_else(|| Ok(Vec::new()), |row| get(row, "find_words"))
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        let rows = self.call(scope, "find_candidates", Flat::of(query).into_values()).await?;
        rows.iter()
            .map(|row| {
                let contact = ContactId::from_uuid(get(row, "contact_id")?);
                Ok(Candidate { contact, terms: get(row, "terms")? })
            })
            .collect()
    }
}

/// A limit that the database can add to others; no tenant has as many contacts.
fn bound(number: usize) -> i64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}

/// A [`CandidateQuery`] as lists, each level with where it ends in the one below.
#[derive(Default)]
struct Flat {
    /// Each once.
    terms: Vec<String>,
    /// Places in `terms`, from 1.
    group_terms: Vec<i32>,
    group_ends: Vec<i32>,
    tier_ends: Vec<i32>,
    counts: Vec<i64>,
    limits: Vec<i64>,
    limits_per_term: Vec<i64>,
    examines: Vec<i64>,
    stage_ends: Vec<i32>,
    unless_found: Vec<i64>,
}

impl Flat {
    fn of(query: &CandidateQuery) -> Self {
        let mut flat = Flat::default();
        let mut places: HashMap<&str, i32> = HashMap::new();
        for stage in &query.stages {
            for tier in &stage.tiers {
                for group in &tier.groups {
                    for term in group.iter().filter(|term| is_text(term)) {
                        let place = places.entry(term).or_insert_with(|| {
                            flat.terms.push(term.clone());
                            end(&flat.terms)
                        });
                        flat.group_terms.push(*place);
                    }
                    flat.group_ends.push(end(&flat.group_terms));
                }
                flat.tier_ends.push(end(&flat.group_ends));
                flat.counts.push(bound(tier.count));
                flat.limits.push(bound(tier.limit));
                flat.limits_per_term.push(bound(tier.limit_per_term));
                flat.examines.push(bound(tier.examine));
            }
            flat.stage_ends.push(end(&flat.tier_ends));
            flat.unless_found.push(bound(stage.unless_found));
        }
        flat
    }

    fn into_values(self) -> Vec<Value> {
        vec![
            self.terms.into(),
            self.group_terms.into(),
            self.group_ends.into(),
            self.tier_ends.into(),
            self.counts.into(),
            self.limits.into(),
            self.limits_per_term.into(),
            self.examines.into(),
            self.stage_ends.into(),
            self.unless_found.into(),
        ]
    }
}

/// Where a list ends, in the database's count from 1.
fn end<T>(list: &[T]) -> i32 {
    i32::try_from(list.len()).unwrap_or(i32::MAX)
}
