//! The configurations that the tests run in.

use async_trait::async_trait;
use crm_conformance::{Factory, Fresh};
use crm_core::{Error, Result};
use crm_sqlite::{Options, SqliteStore};

/// A file in a folder of its own.
pub(crate) struct OnFile(pub(crate) Options);

#[async_trait]
impl Factory for OnFile {
    async fn fresh(&self) -> Result<Fresh> {
        let folder = tempfile::tempdir().map_err(Error::internal)?;
        let path = folder.path().join("crm.db");
        let store = SqliteStore::open_with(path, self.0.clone()).await?;
        Ok(Fresh::new(store).keeping(folder))
    }
}

/// A database without a file.
pub(crate) struct InMemory;

#[async_trait]
impl Factory for InMemory {
    async fn fresh(&self) -> Result<Fresh> {
        Ok(Fresh::new(SqliteStore::open_in_memory().await?))
    }
}
