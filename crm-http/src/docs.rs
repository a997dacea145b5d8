//! Swagger UI, from assets that are compiled in: it works without the network, and under any prefix.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crm_core::Error;
use utoipa_swagger_ui::Config;

use crate::App;
use crate::problem::Problem;

/// Swagger UI sets styles on its elements and draws its icons from `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

pub(crate) fn routes() -> Router<App> {
    // The document lies beside the folder of the pages, wherever both are nested.
    let config = Arc::new(Config::from("../openapi.json").validator_url("none"));
    let index = Arc::clone(&config);
    Router::new()
        .route("/docs", get(async || (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "docs/")])))
        .route("/docs/", get(async move || page("", index)))
        .route("/docs/{*file}", get(async move |Path(file): Path<String>| page(&file, config)))
}

fn page(file: &str, config: Arc<Config<'static>>) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(file, config)
        .map_err(|error| Error::internal(error.to_string()))?
        .ok_or_else(|| Error::not_found("path"))?;
    let mut response = found.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    let mut kind = found.content_type;
    if kind.starts_with("text/") && !kind.contains("charset") {
        kind.push_str("; charset=utf-8");
    }
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if found.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(response)
}
