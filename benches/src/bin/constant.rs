//! The limit of the machine: replies of the sizes of crm-http's, behind the same middleware, that are made
//! before anybody asks. `benches/http` measures it beside the rest.

use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use crm_core::Crm;
use crm_core::memory::MemoryStore;
use crm_http::Config;

/// Bytes of the replies that crm-http gives to the same requests over the sample tenant.
const SIZES: [(&str, usize); 5] =
    [("/get", 650), ("/list", 32_000), ("/search", 8_000), ("/timeline", 6_500), ("/create", 420)];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut routes = Router::new().route("/health/live", get(async || "{}"));
    for (path, size) in SIZES {
        let body: &'static str = format!("{{\"padding\":\"{}\"}}", "x".repeat(size)).leak();
        let reply = async move || ([(CONTENT_TYPE, "application/json")], body);
        routes = routes.route(path, get(reply));
    }
    let mut config = Config::default();
    config.per_address = None;
    let crm = Crm::builder(MemoryStore::default()).build()?;
    let router = crm_http::surround(routes, crm, config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[allow(clippy::print_stdout, reason = "the address, for who started it")]
    {
        println!("listening on http://{}", listener.local_addr()?);
    }
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
