//! A shop with the CRM inside: its own tables and the CRM's on one PostgreSQL.

mod greetings;
mod orders;

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, ErrorKind, Session};
use crm_http::Config;
use crm_postgres::{Installation, Options, PostgresStore};
use sqlx::PgPool;

pub use greetings::greet;

/// What can go wrong at the start.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The shop's own tables, beside the CRM's schema.
const TABLES: &str = "
    create schema if not exists shop;
    create table if not exists shop.orders (
        id bigint generated always as identity primary key,
        contact_id uuid not null,
        item text not null check (item <> '')
    );
    create table if not exists shop.greetings (contact_id uuid primary key);
    grant usage on schema shop to crm_app;
    grant select, insert on shop.orders, shop.greetings to crm_app;
";

/// Makes the tables of the CRM and of the shop: what an administrator does once, and after an update.
///
/// # Errors
///
/// Those of the installation, and of the shop's own statements.
pub async fn install(admin_url: &str) -> Result<(), Failure> {
    Installation::default().run(admin_url).await?;
    let admin = PgPool::connect(admin_url).await?;
    sqlx::raw_sql(TABLES).execute(&admin).await?;
    admin.close().await;
    Ok(())
}

/// What the shop's handlers share.
#[derive(Clone)]
pub struct Shop {
    pub(crate) pool: PgPool,
    store: PostgresStore,
    /// The CRM, on the shop's own pool.
    pub crm: Crm,
    /// The shop at work in its own tenant.
    pub session: Session,
}

impl Shop {
    /// Opens the CRM on the shop's pool, and the shop's tenant, which is made where there is none.
    ///
    /// # Errors
    ///
    /// Those of the server and of the store.
    pub async fn open(url: &str) -> Result<Shop, Failure> {
        let pool = PgPool::connect(url).await?;
        let store = PostgresStore::from_pool(pool.clone(), Options::default()).await?;
        let crm = Crm::builder(store.clone()).build()?;
        let operator = crm.system("the shop starts")?;
        let tenant = match operator.tenant(&"shop".parse()?).await {
            Ok(tenant) => tenant,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let new = NewTenant::new("Shop", "owner@shop.example", "DE".parse()?);
                operator.create_tenant(new).await?.0
            }
            Err(error) => return Err(error.into()),
        };
        let session = operator.session(tenant.id).await?;
        Ok(Shop { pool, store, crm, session })
    }

    /// The shop's routes, and all of the CRM's under `/crm`.
    pub fn routes(&self) -> Router {
        let own = Router::new()
            .route("/orders", post(orders::place).get(orders::list))
            .with_state(self.clone());
        // The shop's routes get what the CRM's have: request ids, limits, problem documents.
        crm_http::surround(own, self.crm.clone(), Config::default())
            .nest("/crm", crm_http::router(self.crm.clone(), Config::default()))
    }

    /// Runs the CRM's jobs until the shop is told to stop.
    pub async fn work(&self, stop: impl Future<Output = ()> + Send) {
        self.crm.worker().drain_for(Duration::from_secs(5)).run(tokio::time::sleep, stop).await;
    }
}
