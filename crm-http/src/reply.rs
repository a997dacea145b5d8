//! What handlers give back.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as ResponseDoc, SchemaObject};
use axum::Json;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

use crate::extract::Made;
use crate::openapi::problem_responses;
use crate::problem::Problem;

/// A record, with its version as `ETag`.
pub(crate) struct Versioned<T>(pub(crate) T, pub(crate) i64);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.headers_mut().insert(ETAG, etag(self.1));
        response
    }
}

fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

impl<T: JsonSchema> OperationOutput for Versioned<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<ResponseDoc> {
        Json::<T>::operation_response(ctx, operation)
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        Json::<T>::inferred_responses(ctx, operation)
    }
}

/// A record that was made: 201, where it is, and its version.
pub(crate) struct Created<T> {
    made: Made,
    collection: String,
    of: PhantomData<fn() -> T>,
}

impl<T> Created<T> {
    /// What was made by a POST to `uri`, under which it is found by its id.
    pub(crate) fn at(uri: &Uri, made: Made) -> Self {
        Created { made, collection: uri.path().trim_end_matches('/').to_owned(), of: PhantomData }
    }
}

/// What the headers say of a record.
#[derive(Deserialize)]
struct Facts {
    id: String,
    version: Option<i64>,
}

impl<T> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let facts: Option<Facts> = serde_json::from_str(&self.made.json).ok();
        let mut response = (StatusCode::CREATED, self.made.json).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(facts) = facts {
            let location = format!("{}/{}", self.collection, facts.id);
            if let Ok(location) = HeaderValue::from_str(&location) {
                headers.insert(LOCATION, location);
            }
            if let Some(version) = facts.version {
                headers.insert(ETAG, etag(version));
            }
        }
        if self.made.replayed {
            let name = HeaderName::from_static("idempotency-replayed");
            headers.insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<ResponseDoc> {
        Json::<T>::operation_response(ctx, operation)
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let json_schema = ctx.schema.subschema_for::<T>();
        let _ = operation;
        let media = MediaType {
            schema: Some(SchemaObject { json_schema, external_docs: None, example: None }),
            ..MediaType::default()
        };
        let response = ResponseDoc {
            description: "It was made.".to_owned(),
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            ..ResponseDoc::default()
        };
        vec![(Some(201), response)]
    }
}

impl OperationOutput for Problem {
    type Inner = Problem;

    fn inferred_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[500, 503])
    }
}
