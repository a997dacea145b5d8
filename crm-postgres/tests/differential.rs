//! PostgreSQL answers random commands as the store in memory does.

mod stores;
mod support;

use crm_conformance::{Factory, Fresh, differential};
use crm_core::memory::MemoryStore;
use crm_postgres::Options;
use stores::{Direct, Pooled};

struct Reference;

#[async_trait::async_trait]
impl Factory for Reference {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        Ok(Fresh::new(MemoryStore::default()))
    }
}

#[test]
fn direct() {
    differential(&Reference, &Direct(Options::default()), 24, 3).unwrap();
}

#[test]
fn through_pgbouncer() {
    differential(&Reference, &Pooled, 12, 4).unwrap();
}

#[test]
#[ignore = "long: a thousand lists of commands"]
fn long_direct() {
    differential(&Reference, &Direct(Options::default()), 1_000, 5).unwrap();
}
