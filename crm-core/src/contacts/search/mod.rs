//! Search that forgives: typos, accents, nicknames, half-typed words, phone numbers in any notation.
//!
//! The domain turns a contact into [`ContactTerms`] and a [`Query`] into the terms that could be
//! meant; a [`SearchStore`] only looks them up by equality and by prefix, so that every store finds the
//! same. [`run`] does a search in two look-ups.

mod engine;
#[cfg(feature = "memory")]
pub mod memory;
mod neighbourhood;
mod nicknames;
mod query;
mod score;
mod store;
mod terms;
#[cfg(all(test, feature = "memory"))]
mod tests;

pub use engine::{Hit, Limits, run};
pub use neighbourhood::neighbourhood;
pub use nicknames::Nicknames;
pub use query::{MAX_QUERY, MAX_TOKENS, Query};
pub use store::{Candidate, CandidateQuery, SearchStore, Stage, Tier, WordLookup};
pub use terms::{ContactTerms, Searchable, is_word};
