//! The search of one tenant, in memory: for tests, benches and the in-memory store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::neighbourhood;
use super::store::{Candidate, CandidateQuery, SearchStore, Tier, WordLookup};
use super::terms::{ContactTerms, is_word};
use crate::error::Result;
use crate::id::ContactId;
use crate::scope::TenantScope;

/// What a [`SearchStore`] keeps for one tenant.
///
/// As a `SearchStore` it takes any scope for its own tenant.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex {
    postings: BTreeMap<Arc<str>, BTreeSet<ContactId>>,
    hashes: HashMap<u32, BTreeSet<Arc<str>>>,
    contacts: HashMap<ContactId, Box<str>>,
}

impl MemoryIndex {
    /// Adds a contact, in place of what it was posted under before.
    pub fn insert(&mut self, contact: ContactId, terms: &ContactTerms) {
        self.remove(contact);
        for posting in terms.postings() {
            if let Some(contacts) = self.postings.get_mut(posting.as_str()) {
                contacts.insert(contact);
                continue;
            }
            let posting: Arc<str> = posting.into();
            if is_word(&posting) {
                for hash in neighbourhood(&posting) {
                    self.hashes.entry(hash).or_default().insert(posting.clone());
                }
            }
            self.postings.insert(posting, BTreeSet::from([contact]));
        }
        self.contacts.insert(contact, terms.encode().into());
    }

    /// Removes a contact, if it is there.
    pub fn remove(&mut self, contact: ContactId) {
        let Some(terms) = self.contacts.remove(&contact) else { return };
        for posting in ContactTerms::decode(&terms).postings() {
            let Some(contacts) = self.postings.get_mut(posting.as_str()) else { continue };
            contacts.remove(&contact);
            if contacts.is_empty() {
                self.postings.remove(posting.as_str());
                if is_word(&posting) {
                    for hash in neighbourhood(&posting) {
                        if let Some(words) = self.hashes.get_mut(&hash) {
                            words.remove(posting.as_str());
                        }
                    }
                }
            }
        }
    }

    /// Contacts in the index.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether no contact is in the index.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// Every term with the number of its contacts.
    pub fn terms(&self) -> impl Iterator<Item = (&str, usize)> {
        self.postings.iter().map(|(term, contacts)| (&**term, contacts.len()))
    }

    /// [`SearchStore::find_words`] of the tenant.
    pub fn find_words(&self, lookup: &WordLookup) -> Vec<String> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for hash in &lookup.hashes {
            let words = self.hashes.get(hash).into_iter().flatten();
            found.extend(words.take(lookup.most).map(|word| &**word));
        }
        for prefix in lookup.word_prefixes.iter().chain(&lookup.term_prefixes) {
            let terms = self
                .postings
                .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
                .map(|(term, _)| &**term);
            found.extend(terms.take_while(|term| term.starts_with(prefix)).take(lookup.most));
        }
        found.into_iter().map(str::to_owned).collect()
    }

    /// [`SearchStore::find_candidates`] of the tenant.
    pub fn find_candidates(&self, query: &CandidateQuery) -> Vec<Candidate> {
        let mut taken = HashSet::new();
        let mut candidates = Vec::new();
        for stage in &query.stages {
            if candidates.len() < stage.unless_found {
                for tier in &stage.tiers {
                    self.take(tier, &mut taken, &mut candidates);
                }
            }
        }
        candidates
    }

    fn take(&self, tier: &Tier, taken: &mut HashSet<ContactId>, candidates: &mut Vec<Candidate>) {
        let groups: Vec<Vec<&BTreeSet<ContactId>>> = tier
            .groups
            .iter()
            .map(|group| group.iter().filter_map(|term| self.postings.get(term.as_str())).collect())
            .collect();
        let count = |group: &Vec<&BTreeSet<ContactId>>| {
            group.iter().map(|contacts| contacts.len()).sum::<usize>().min(tier.count)
        };
        let Some((driver, _)) = groups.iter().enumerate().min_by_key(|(_, group)| count(group))
        else {
            return;
        };
        let read = groups.get(driver).map_or(0, count);
        let others: Vec<Other<'_>> = groups
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != driver)
            .map(|(_, group)| Other::new(group, read))
            .collect();
        let most = candidates.len() + tier.limit;
        let mut examine = tier.examine;
        for postings in groups.get(driver).into_iter().flatten() {
            let most = most.min(candidates.len() + tier.limit_per_term);
            for contact in postings.iter() {
                if examine == 0 || candidates.len() >= most {
                    break;
                }
                examine -= 1;
                if others.iter().all(|group| group.has(contact))
                    && taken.insert(*contact)
                    && let Some(terms) = self.contacts.get(contact)
                {
                    candidates.push(Candidate { contact: *contact, terms: terms.to_string() });
                }
            }
        }
    }
}

/// A group that only narrows, in the form that is cheaper to ask.
enum Other<'a> {
    Gathered(HashSet<&'a ContactId>),
    Apart(&'a [&'a BTreeSet<ContactId>]),
}

impl<'a> Other<'a> {
    /// For being asked `reads` times.
    fn new(group: &'a [&'a BTreeSet<ContactId>], reads: usize) -> Self {
        let contacts: usize = group.iter().map(|contacts| contacts.len()).sum();
        if contacts < reads.saturating_mul(group.len()) {
            Other::Gathered(group.iter().copied().flatten().collect())
        } else {
            Other::Apart(group)
        }
    }

    fn has(&self, contact: &ContactId) -> bool {
        match self {
            Other::Gathered(contacts) => contacts.contains(contact),
            Other::Apart(group) => group.iter().any(|contacts| contacts.contains(contact)),
        }
    }
}

#[async_trait]
impl SearchStore for MemoryIndex {
    async fn find_words(&self, _: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        Ok(MemoryIndex::find_words(self, lookup))
    }

    async fn find_candidates(
        &self,
        _: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        Ok(MemoryIndex::find_candidates(self, query))
    }
}
