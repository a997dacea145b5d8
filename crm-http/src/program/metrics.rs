//! Metrics for Prometheus, on a listener of their own: they tell who uses the server, and how much.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::program::failure::Failure;
use crate::program::values::Listen;

/// Where they are served where nothing is said.
const USUAL: &str = "127.0.0.1:9090";

/// Seconds of the durations' buckets: from what a cache answers to what is given up.
const BUCKETS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How often what was measured is folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// Begins to keep what is counted and measured.
pub(crate) fn start() -> Result<PrometheusHandle, Failure> {
    let failed =
        |error: metrics_exporter_prometheus::BuildError| Failure::Failed(error.to_string());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(failed)?;
    describe();
    metrics::gauge!("crm_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("crm_build_info", "The version that runs");
    describe_counter!("crm_http_requests_total", "Requests that were answered");
    describe_histogram!("crm_http_request_duration_seconds", "How long answers took");
    describe_gauge!("crm_http_requests_in_flight", "Requests that are being served");
    describe_counter!("crm_sign_ins_total", "Sign-ins with a password, by their result");
    describe_gauge!("crm_password_hashes_waiting", "Passwords that wait to be hashed");
    describe_histogram!("crm_password_hash_wait_seconds", "How long passwords waited to be hashed");
    describe_histogram!(
        "crm_postgres_connection_wait_seconds",
        "How long was waited for a connection to the database"
    );
    describe_counter!(
        "crm_postgres_connection_failures_total",
        "Connections to the database that could not be had"
    );
}

/// The listener, if there is to be one. Where nothing was said and the usual place is taken (it is
/// Prometheus' own), any free port will do.
pub(crate) async fn listener(listen: Option<Listen>) -> Result<Option<TcpListener>, Failure> {
    let bind = async |address: SocketAddr| {
        TcpListener::bind(address).await.map_err(|error| {
            Failure::Failed(format!("--metrics-listen: cannot listen on {address}: {error}"))
        })
    };
    match listen {
        Some(Listen::Off) => Ok(None),
        Some(Listen::On(address)) => bind(address).await.map(Some),
        None => {
            let usual =
                USUAL.parse().map_err(|_| Failure::Failed("no usual address".to_owned()))?;
            match bind(usual).await {
                Ok(listener) => Ok(Some(listener)),
                Err(_) => bind(SocketAddr::new(usual.ip(), 0)).await.map(Some),
            }
        }
    }
}

/// Serves them until the process ends.
pub(crate) async fn serve(listener: TcpListener, handle: PrometheusHandle) {
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let router = Router::new()
        .route("/metrics", get(async move || ([(CONTENT_TYPE, TEXT)], handle.render())));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are served no more");
    }
}
