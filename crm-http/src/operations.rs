//! What operators and other services ask: whether the server lives, whether it is ready, what it offers.

use std::time::Duration;

use aide::OperationOutput;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::extract::{NoParams, Public};
use crate::openapi::{Section, about, reply};
use crate::request::Began;
use crate::{App, Config, docs};

/// How long a dependency may take to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(2);

const OPERATIONS: Section = Section::Operations;

/// The routes that the OpenAPI document describes.
pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/health/live",
            get_with(
                live,
                about(
                    OPERATIONS,
                    "get_liveness",
                    &[],
                    "Whether the server runs",
                    "Asks nothing else.",
                ),
            ),
        )
        .api_route(
            "/health/ready",
            get_with(
                ready,
                about(
                    OPERATIONS,
                    "get_readiness",
                    &[],
                    "Whether the server and what it needs are ready",
                    "503 where the store does not answer; `checks` has what else it needs, without which the rest is \
                     served.",
                ),
            ),
        )
        .api_route(
            "/.well-known/jwks.json",
            get_with(
                key_set,
                about(
                    OPERATIONS,
                    "get_key_set",
                    &[],
                    "The public keys of access tokens",
                    "A JWK set (RFC 7517), for other services that verify access tokens.",
                ),
            ),
        )
}

/// The document itself, and the pages that show it.
pub(crate) fn document_routes(mut document: Value, config: &Config) -> Router<App> {
    if let (Some(url), Some(document)) = (&config.public_url, document.as_object_mut()) {
        document.insert("servers".to_owned(), json!([{ "url": url }]));
    }
    let document = axum::body::Bytes::from(document.to_string());
    Router::new()
        .route(
            "/openapi.json",
            get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())),
        )
        .merge(docs::routes())
}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// The whole.
    status: Status,
    /// What it needs, each by its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It works.
    Ok,
    /// It does not answer, or answers wrongly.
    Unavailable,
}

/// How something is that the server needs.
#[derive(Debug, Serialize, JsonSchema)]
struct Check {
    /// What.
    name: &'static str,
    /// How it is.
    status: Status,
    /// Milliseconds until it answered, or was given up.
    latency_ms: f64,
}

impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = match self.status {
            Status::Ok => StatusCode::OK,
            Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

impl OperationOutput for Health {
    type Inner = Health;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let described = |text| reply::<Health>(text, &[]);
        vec![(Some(200), described("It works.")), (Some(503), described("It does not."))]
    }
}

async fn live(_: Public, _: NoParams) -> Health {
    Health { status: Status::Ok, checks: Vec::new() }
}

async fn ready(_: Public, _: NoParams, State(app): State<App>) -> Health {
    let own = app.config.dependencies.iter().map(|own| check(own.name, (own.check)()));
    let (store, recordings, own) = tokio::join!(
        check("store", app.crm.check()),
        check("recordings", app.crm.check_recordings()),
        futures::future::join_all(own),
    );
    // Without the rest all else is served; a server that is taken away serves nothing.
    let status = store.status;
    let checks = [store, recordings].into_iter().chain(own).collect();
    Health { status, checks }
}

/// How something is that the server needs.
async fn check(name: &'static str, asked: impl Future<Output = crm_core::Result<()>>) -> Check {
    let began = Began::now();
    let status = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(())) => Status::Ok,
        Ok(Err(error)) => {
            tracing::warn!(name, ?error, "not ready");
            Status::Unavailable
        }
        Err(_) => {
            tracing::warn!(name, "no answer within {PATIENCE:?}");
            Status::Unavailable
        }
    };
    let latency_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
    Check { name, status, latency_ms }
}

/// A JWK set, which others keep for a while.
#[derive(JsonSchema)]
struct KeySet {
    /// The keys (RFC 7517, 4).
    #[expect(dead_code, reason = "for the document")]
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

struct KeySetReply(Response);

impl IntoResponse for KeySetReply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl OperationOutput for KeySetReply {
    type Inner = KeySet;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        vec![(Some(200), reply::<KeySet>("The keys.", &[]))]
    }
}

async fn key_set(_: Public, _: NoParams, State(app): State<App>) -> KeySetReply {
    let kept = [(CACHE_CONTROL, "public, max-age=300")];
    KeySetReply((kept, Json(app.crm.key_set())).into_response())
}
