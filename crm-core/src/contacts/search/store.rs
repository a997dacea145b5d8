//! What search asks of storage.

use async_trait::async_trait;

use super::terms::ContactTerms;
use crate::error::Result;
use crate::id::ContactId;
use crate::scope::TenantScope;

/// Keeps the terms of a tenant's contacts and looks them up by equality and by prefix.
///
/// A store keeps, for every contact that can be found, three things that the core hands it with the
/// contact (see [`ContactTerms`]): one posting per [`ContactTerms::postings`]; the text of
/// [`ContactTerms::encode`]; and for every posting that [`is_word`](super::is_word), once per tenant, the word and one row per
/// hash of its [`neighbourhood`](super::neighbourhood). A word that no contact has any more may stay.
///
/// # Behavior
///
/// - Strings compare by their UTF-8 bytes.
/// - Nothing of another tenant is seen or counted.
/// - What a commit wrote is found by the next look-up.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// The words and terms that could be meant, each once, in any order.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>>;

    /// The contacts that have the terms asked for, each once, in the order of being found.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>>;
}

/// Which words and terms a query could mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordLookup {
    /// Words of the vocabulary that have any of these hashes; of each hash the first
    /// [`WordLookup::most`] by bytes.
    pub hashes: Vec<u32>,
    /// Words of the vocabulary that start with any of these; of each the first [`WordLookup::most`] by
    /// bytes.
    pub word_prefixes: Vec<String>,
    /// Postings that start with any of these, each distinct term once; of each prefix the first
    /// [`WordLookup::most`] by bytes. They begin with a marker, so no word of the vocabulary is among them.
    pub term_prefixes: Vec<String>,
    /// Words that one hash or prefix brings at most.
    pub most: usize,
}

/// Which contacts to read: from the narrowest stage to the widest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CandidateQuery {
    /// Run in this order.
    pub stages: Vec<Stage>,
}

/// Attempts that are made together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// The stage is left out where the stages before it took this many contacts.
    pub unless_found: usize,
    /// Run in this order.
    pub tiers: Vec<Tier>,
}

/// One attempt: the contacts that have at least one term of every group.
///
/// The *driver* is the group with the fewest postings, each group counted up to [`Tier::count`]; of
/// equals the first. Its postings are read in the order of (position in the group, contact id), at
/// most [`Tier::examine`] of them; a contact that has a term of each other group is taken, at most
/// [`Tier::limit_per_term`] for one term of the driver and [`Tier::limit`] in all. Contacts that an earlier tier took count as examined, not as taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tier {
    /// Terms, the best of each group first; no group is empty.
    pub groups: Vec<Vec<String>>,
    /// Up to where the postings of a group are counted.
    pub count: usize,
    /// Contacts taken at most.
    pub limit: usize,
    /// Contacts taken at most for one term of the driver.
    pub limit_per_term: usize,
    /// Postings read at most.
    pub examine: usize,
}

impl Tier {
    /// Whether a contact with these [`postings`](ContactTerms::postings) has a term of every group: what a store can ask
    /// of the encoded terms where that is cheaper than a look-up per term.
    pub fn admits(&self, terms: &ContactTerms) -> bool {
        let postings = terms.postings();
        self.groups.iter().all(|group| {
            group.iter().any(|term| postings.binary_search_by(|own| own.as_str().cmp(term)).is_ok())
        })
    }
}

/// A contact that could be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Identifies the contact.
    pub contact: ContactId,
    /// [`ContactTerms::encode`] of it.
    pub terms: String,
}
