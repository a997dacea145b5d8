//! The store in memory proves what every store must.

use crm_conformance::{Configuration, Factory, Fresh};
use crm_core::memory::MemoryStore;

struct InMemory;

#[async_trait::async_trait]
impl Factory for InMemory {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        Ok(Fresh::new(MemoryStore::default()))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([Configuration::new("memory", InMemory)])
}
