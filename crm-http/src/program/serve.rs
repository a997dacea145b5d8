//! The server.

use std::net::SocketAddr;

use crm_core::Crm;
use crm_http::{Config, Registrations};
use tokio::net::TcpListener;

use crate::program::cli::ServeArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::text_lines;

pub(crate) fn print_openapi() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&crm_http::document())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    text_lines(&text)
}

pub(crate) async fn run(database: &Database, args: ServeArgs) -> Result<(), Failure> {
    let crm: Crm = database.open_or_create().await?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::Failed(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let mut config = Config::default();
    if address.ip().is_loopback() {
        config.registrations = Registrations::Open;
    }
    let router = crm_http::router(crm, config);
    text_lines(&format!("listening on http://{address}"))?;
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await
        .map_err(|error| Failure::Failed(error.to_string()))
}
