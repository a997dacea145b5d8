//! PostgreSQL proves what every store must: direct, through pgbouncer, on a host's pool.

#![allow(clippy::unwrap_used, reason = "tests")]

mod stores;
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use crm_conformance::{BusFactory, Configuration, FreshBus, Outage, Proxy};
use crm_core::ports::EventBus;
use crm_core::{Error, Result};
use crm_postgres::{Options, PostgresBus, SchemaName};
use stores::{Direct, Hosted, Pooled};
use support::TestDatabase;

/// Two nodes that listen to one database.
struct Listening;

/// The way to the database, and the database, which goes with it.
struct Way(Proxy, #[expect(dead_code, reason = "kept")] TestDatabase);

#[async_trait]
impl Outage for Way {
    async fn begin(&self) {
        self.0.begin().await;
    }

    async fn end(&self) {
        self.0.end().await;
    }
}

#[async_trait]
impl BusFactory for Listening {
    async fn fresh(&self) -> Result<FreshBus> {
        let database = TestDatabase::create(Some(&stores::migrated().await)).await;
        let url = database.url_as("crm_app");
        let host = url.rsplit(['@', '/']).nth(1).unwrap_or_default().to_owned();
        let proxy = Proxy::to(&*host).await.map_err(Error::internal)?;
        let url = url.replace(&host, &proxy.address.to_string());
        let mut nodes: Vec<Arc<dyn EventBus>> = Vec::new();
        for _ in 0..2 {
            nodes.push(Arc::new(PostgresBus::connect(&url, &SchemaName::default()).await?));
        }
        let nodes: [Arc<dyn EventBus>; 2] = nodes.try_into().ok().unwrap();
        Ok(FreshBus::new(nodes, Way(proxy, database)))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::new("direct", Direct(Options::default())),
        Configuration::new("pgbouncer", Pooled),
        Configuration::new("hosted", Hosted),
        Configuration::bus("listen", Listening),
    ])
}
