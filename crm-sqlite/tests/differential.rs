//! SQLite answers random commands as the store in memory does.

mod stores;

use crm_conformance::{Factory, Fresh, differential};
use crm_core::memory::MemoryStore;
use crm_sqlite::{Durability, Options};
use stores::{InMemory, OnFile};

struct Reference;

#[async_trait::async_trait]
impl Factory for Reference {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        Ok(Fresh::new(MemoryStore::default()))
    }
}

#[test]
fn on_a_file() {
    // What survives a power failure is no question here, and syncs are slow.
    let file = OnFile(Options::default().durability(Durability::Process));
    differential(&Reference, &file, 48, 1).unwrap();
}

#[test]
fn in_memory() {
    differential(&Reference, &InMemory, 96, 2).unwrap();
}
