//! Look-ups of search.

use async_trait::async_trait;

use super::MemoryStore;
use crate::contacts::search::{Candidate, CandidateQuery, SearchStore, WordLookup};
use crate::error::Result;
use crate::scope::TenantScope;

#[async_trait]
impl SearchStore for MemoryStore {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        Ok(self.of(scope.tenant(), |data| data.search.find_words(lookup)))
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        Ok(self.of(scope.tenant(), |data| data.search.find_candidates(query)))
    }
}
