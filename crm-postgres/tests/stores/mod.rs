//! Fresh stores of PostgreSQL.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use crm_conformance::{Factory, Fresh};
use crm_postgres::{Installation, Options, PostgresStore, Protocol};

use crate::support::{self, TestDatabase};

/// The name of a database with nothing but the schema, to be copied.
pub(crate) async fn migrated() -> String {
    let installation = Installation::default();
    let name = support::template_name("crm_template", &[&installation.script().unwrap()]);
    support::template(&name, async move |url| {
        installation.run(&url).await.unwrap();
    })
    .await
}

/// A store in a database of its own, as `crm_app`.
pub(crate) async fn fresh(options: Options) -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::create(Some(&migrated().await)).await;
    let url = database.url_as("crm_app");
    (PostgresStore::connect_with(&url, options).await.unwrap(), database)
}

/// Connected to the server itself.
pub(crate) struct Direct(pub(crate) Options);

#[async_trait::async_trait]
impl Factory for Direct {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        let (store, database) = fresh(self.0.clone()).await;
        Ok(Fresh::new(store).keeping(database))
    }
}

/// Through pgbouncer, each transaction on another connection to the server.
pub(crate) struct Pooled;

#[async_trait::async_trait]
impl Factory for Pooled {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        let database = TestDatabase::create(Some(&migrated().await)).await;
        let url = database.bouncer_url_as("crm_app");
        let options = Options::default().protocol(Protocol::Simple);
        let store = PostgresStore::connect_with(&url, options).await?;
        Ok(Fresh::new(store).keeping(database))
    }
}

/// On the pool of a host.
pub(crate) struct Hosted;

#[async_trait::async_trait]
impl Factory for Hosted {
    async fn fresh(&self) -> crm_core::Result<Fresh> {
        let database = TestDatabase::create(Some(&migrated().await)).await;
        let pool = sqlx::PgPool::connect(&database.url_as("crm_app")).await.unwrap();
        let store = PostgresStore::from_pool(pool, Options::default()).await?;
        Ok(Fresh::new(store).keeping(database))
    }
}
