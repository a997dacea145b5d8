//! What operators ask: whether the server lives, whether it is ready, what it offers.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::{Json, Router};
use crm_core::identity::JsonWebKeySet;
use serde_json::json;

use crate::App;

pub(crate) fn routes(document: &serde_json::Value) -> Router<App> {
    let document = document.to_string();
    Router::new()
        .route("/health/live", get(async || Json(json!({ "status": "ok" }))))
        .route("/.well-known/jwks.json", get(key_set))
        .route(
            "/openapi.json",
            get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())),
        )
}

async fn key_set(State(app): State<App>) -> Json<JsonWebKeySet> {
    Json(app.crm.key_set())
}
