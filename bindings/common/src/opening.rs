//! How a program in another language opens the CRM.

use crm_core::{Crm, CrmBuilder, Error, Result};
use crm_http::Dependency;
use crm_postgres::{Options, PostgresStore};
use crm_sqlite::SqliteStore;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which CRM, and what it works with.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Opening {
    /// The database: `sqlite://PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub database: String,
}

/// A CRM that is open.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub crm: Crm,
    /// What it needs beside the store, for questions of its health.
    pub dependencies: Vec<Dependency>,
}

impl Opening {
    /// Opens it; `equip` adds what the host has written itself.
    ///
    /// # Errors
    ///
    /// `invalid`, naming the option; `unavailable` or `internal` from the store.
    pub async fn open(self, equip: impl FnOnce(CrmBuilder) -> CrmBuilder + Send) -> Result<Opened> {
        let builder = self.store().await?;
        Ok(Opened { crm: equip(builder).build()?, dependencies: Vec::new() })
    }

    async fn store(&self) -> Result<CrmBuilder> {
        let url = &self.database;
        if url == "sqlite::memory:" {
            return SqliteStore::open_in_memory().await.map(Crm::builder);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return PostgresStore::connect_with(url, Options::default()).await.map(Crm::builder);
        }
        match url.strip_prefix("sqlite://") {
            Some(path) => SqliteStore::open(path).await.map(Crm::builder),
            None => Err(Error::invalid_field(
                "database",
                "invalid_url",
                "write e.g. `sqlite://crm.db` or `postgres://crm_app@host/crm`",
            )),
        }
    }
}
