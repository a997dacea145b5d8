//! What handlers give back.

use std::marker::PhantomData;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use axum::Json;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::{IfNoneMatch, Made};
use crate::openapi::{header, problem_responses, reply};
use crate::problem::Problem;

/// 200 and this.
pub(crate) struct Reply<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Reply<T> {
    type Inner = T;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        vec![(Some(200), reply::<T>("It is this.", &[]))]
    }
}

/// 201 and this, which has no place of its own.
pub(crate) struct Made201<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Made201<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Made201<T> {
    type Inner = T;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        vec![(Some(201), reply::<T>("It was made.", &[]))]
    }
}

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

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        vec![(Some(200), reply::<T>("It is this now.", &["ETag"]))]
    }
}

/// A record, where the caller has not got this version of it.
pub(crate) struct Fresh<T>(Option<T>, i64);

impl<T> Fresh<T> {
    pub(crate) fn unless(known: &IfNoneMatch, record: T, version: i64) -> Self {
        Fresh((!known.has(version)).then_some(record), version)
    }
}

impl<T: Serialize> IntoResponse for Fresh<T> {
    fn into_response(self) -> Response {
        match self.0 {
            Some(record) => Versioned(record, self.1).into_response(),
            None => (StatusCode::NOT_MODIFIED, [(ETAG, etag(self.1))]).into_response(),
        }
    }
}

impl<T: JsonSchema> OperationOutput for Fresh<T> {
    type Inner = T;

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let not_modified = ResponseDoc {
            description: "The caller has this version.".to_owned(),
            headers: [("ETag".to_owned(), header("ETag"))].into_iter().collect(),
            ..ResponseDoc::default()
        };
        let mut responses = Versioned::<T>::inferred_responses(ctx, operation);
        responses.push((Some(304), not_modified));
        responses
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

    /// What was made by a POST to `uri`, beside which it is found by its id.
    pub(crate) fn beside(uri: &Uri, made: Made) -> Self {
        let path = uri.path().trim_end_matches('/');
        let collection = path.rsplit_once('/').map_or("", |(collection, _)| collection);
        Created { made, collection: collection.to_owned(), of: PhantomData }
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
        let mut response = self.made.into_response();
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        if let Some(facts) = facts {
            let location = format!("{}/{}", self.collection, facts.id);
            if let Ok(location) = HeaderValue::from_str(&location) {
                headers.insert(LOCATION, location);
            }
            if let Some(version) = facts.version {
                headers.insert(ETAG, etag(version));
            }
        }
        response
    }
}

/// 200 with what was made, now or before.
impl IntoResponse for Made {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        let mut response = ([(CONTENT_TYPE, json)], self.json).into_response();
        if self.replayed {
            let name = HeaderName::from_static("idempotency-replayed");
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let headers = ["Location", "ETag", "Idempotency-Replayed"];
        vec![(Some(201), reply::<T>("It was made.", &headers))]
    }
}

/// A record that was made, or one that was there and was changed.
pub(crate) enum CreatedOrUpdated<T> {
    Created(Created<T>),
    Updated(Made, i64),
}

impl<T> IntoResponse for CreatedOrUpdated<T> {
    fn into_response(self) -> Response {
        match self {
            CreatedOrUpdated::Created(created) => created.into_response(),
            CreatedOrUpdated::Updated(made, version) => {
                let mut response = made.into_response();
                response.headers_mut().insert(ETAG, etag(version));
                response
            }
        }
    }
}

impl<T: JsonSchema> OperationOutput for CreatedOrUpdated<T> {
    type Inner = T;

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let headers = ["ETag", "Idempotency-Replayed"];
        let mut responses = Created::<T>::inferred_responses(ctx, operation);
        responses.push((Some(200), reply::<T>("It was there, and is this now.", &headers)));
        responses
    }
}

/// 200 with what a request did once.
pub(crate) struct DoneOnce<T>(Made, PhantomData<fn() -> T>);

impl<T> DoneOnce<T> {
    pub(crate) fn of(made: Made) -> Self {
        DoneOnce(made, PhantomData)
    }
}

impl<T> IntoResponse for DoneOnce<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: JsonSchema> OperationOutput for DoneOnce<T> {
    type Inner = T;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        vec![(Some(200), reply::<T>("It was done.", &["Idempotency-Replayed"]))]
    }
}

impl OperationOutput for Problem {
    type Inner = Problem;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[500, 503])
    }
}
