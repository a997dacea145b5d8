//! Search terms and their look-up.

use async_trait::async_trait;
use crm_core::contacts::search::{Candidate, CandidateQuery, SearchStore, WordLookup};
use crm_core::{Error, Result, TenantScope};

use crate::PostgresStore;

#[async_trait]
impl SearchStore for PostgresStore {
    async fn find_words(&self, _: &TenantScope, _: &WordLookup) -> Result<Vec<String>> {
        Err(Error::internal("not yet"))
    }

    async fn find_candidates(&self, _: &TenantScope, _: &CandidateQuery) -> Result<Vec<Candidate>> {
        Err(Error::internal("not yet"))
    }
}
