//! JSON bodies.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, RequestBody, Response as ResponseDoc};
use aide::operation::set_body;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use crm_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::App;
use crate::limits;
use crate::openapi::{problem_responses, request_media};
use crate::problem::Problem;

/// The JSON body: of this shape and no other.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// How it says it.
    pub(super) bytes: Bytes,
}

impl Body<()> {
    /// The body of a request that has none.
    pub(crate) fn none() -> Self {
        Body { value: (), bytes: Bytes::new() }
    }
}

/// A JSON merge patch (RFC 7396): of this shape and no other.
pub struct MergePatch<T>(pub T);

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        read(request, app, &[JSON]).await
    }
}

impl<T: DeserializeOwned> FromRequest<App> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        Ok(MergePatch(read(request, app, &[JSON, MERGE_PATCH]).await?.value))
    }
}

async fn read<T: DeserializeOwned>(
    request: Request,
    app: &App,
    types: &[&str],
) -> Result<Body<T>, Problem> {
    let named = media_type(request.headers());
    if !types.contains(&&*named) {
        let message = "the body must be JSON; say so by `Content-Type: application/json`";
        return Err(Error::new(ErrorKind::UnsupportedMediaType, message).into());
    }
    let limit = app.config.body_limit;
    let bytes = axum::body::to_bytes(request.into_body(), limit).await.map_err(limits::unread)?;
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(bad_body)?;
    json.end().map_err(|error| {
        Error::new(ErrorKind::Malformed, format!("the body is no JSON: {error}"))
    })?;
    Ok(Body { value, bytes })
}

/// The media type of a body, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Broken JSON is malformed; JSON of another shape is invalid, and says where.
fn bad_body(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    use serde_json::error::Category;
    let path = error.path().to_string();
    let inner = error.into_inner();
    match inner.classify() {
        Category::Data => {
            let text = inner.to_string();
            let reason = text.rsplit_once(" at line").map_or(text.as_str(), |(reason, _)| reason);
            Error::refused_value(&path, reason)
        }
        Category::Io | Category::Syntax | Category::Eof => {
            Error::new(ErrorKind::Malformed, format!("the body is no JSON: {inner}"))
        }
    }
}

fn describe<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation, types: &[&str]) {
    let media = request_media::<T>(ctx);
    let body = RequestBody {
        content: types.iter().map(|named| ((*named).to_owned(), media.clone())).collect(),
        required: true,
        ..RequestBody::default()
    };
    set_body(ctx, operation, body);
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        describe::<T>(ctx, operation, &[JSON]);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400, 413, 415, 422])
    }
}

impl<T: JsonSchema> OperationInput for MergePatch<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        describe::<T>(ctx, operation, &[JSON, MERGE_PATCH]);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400, 413, 415, 422])
    }
}
