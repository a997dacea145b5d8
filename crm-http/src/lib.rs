//! The CRM over HTTP: a router to mount in any axum application, and the server of its own that the
//! program `crm-http serve` runs.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use crm_http::Config;
//! let crm = crm_core::Crm::builder(crm_sqlite::SqliteStore::open_in_memory().await?).build()?;
//! let host: axum::Router = axum::Router::new().nest("/crm", crm_http::router(crm, Config::default()));
//! # let _ = host;
//! # Ok::<(), crm_core::Error>(()) }).unwrap();
//! ```
//!
//! A handler's signature says who may call it: it takes a [`Caller`](extract::Caller) of an action, a
//! [`CallerOn`](extract::CallerOn) of an action on one record, or is [`Public`](extract::Public).

mod activities;
mod address;
mod api_keys;
mod audit;
mod calls;
mod companies;
mod config;
mod contacts;
mod cors;
mod docs;
pub mod extract;
mod identity;
mod jobs;
mod keys_file;
mod limits;
mod metrics;
pub mod mount;
mod notifications;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod operations;
mod privacy;
mod problem;
mod realtime;
mod reply;
mod request;
mod telephony;
mod tenancy;
#[cfg(test)]
#[allow(clippy::field_reassign_with_default, reason = "as a host sets them")]
mod tests;
mod users;
mod webhooks;

use aide::axum::ApiRouter;
use axum::Router;
use axum::middleware;
use crm_core::Crm;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

pub use address::{Network, ProxyHeader};
pub use config::{Config, Dependency};
pub use cors::{Origin, Origins};
pub use keys_file::{Keys, KeysFile, SealEntry, TokenEntry};
pub use mount::Mount;
#[cfg(feature = "oidc")]
pub use oidc::OidcProvider;
pub use openapi::document;
pub use problem::{Problem, status_of};
pub use realtime::Closing;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) crm: Crm,
    pub(crate) config: std::sync::Arc<Config>,
    pub(crate) hub: std::sync::Arc<realtime::Hub>,
}

impl App {
    fn new(crm: Crm, config: Config) -> Self {
        App { crm, config: std::sync::Arc::new(config), hub: std::sync::Arc::default() }
    }
}

/// Every route of the CRM, to be served at the root or nested under any path.
///
/// Addresses of callers are known where the application is served with
/// `into_make_service_with_connect_info::<SocketAddr>()`.
pub fn router(crm: Crm, config: Config) -> Router {
    let (routes, document) = openapi::finish(routes);
    let routes =
        routes.merge(operations::document_routes(document, &config)).merge(realtime::streams());
    let app = App::new(crm, config);
    surrounded(routes, &app).with_state(app)
}

/// A host's own routes with what surrounds the CRM's: request ids, log lines, limits, problem documents.
/// The callers of routes that do not ask who calls are counted by their address.
pub fn surround(routes: Router, crm: Crm, config: Config) -> Router {
    let app = App::new(crm, config);
    surrounded(routes, &app)
}

/// The routes, with what surrounds each of them; what comes last here meets a request first.
fn surrounded<S: Clone + Send + Sync + 'static>(routes: Router<S>, app: &App) -> Router<S> {
    let mut routes = routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), limits::bound))
        .layer(
            CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(limits::Texts),
        )
        .layer(CatchPanicLayer::custom(limits::panicked));
    if let Some(cors) = cors::layer(&app.config.cors_origins) {
        routes = routes.layer(cors);
    }
    routes.layer(middleware::from_fn_with_state(app.clone(), request::frame))
}

/// The routes that the OpenAPI document describes.
fn routes() -> ApiRouter<App> {
    let routes = ApiRouter::new()
        .merge(identity::routes())
        .merge(contacts::routes())
        .merge(companies::routes())
        .merge(activities::routes())
        .merge(calls::routes())
        .merge(telephony::routes())
        .merge(privacy::routes())
        .merge(jobs::routes())
        .merge(notifications::routes())
        .merge(webhooks::routes())
        .merge(realtime::routes())
        .merge(users::routes())
        .merge(api_keys::routes())
        .merge(tenancy::routes())
        .merge(audit::routes())
        .merge(operations::routes());
    #[cfg(feature = "oidc")]
    let routes = routes.merge(oidc::routes());
    routes
}
