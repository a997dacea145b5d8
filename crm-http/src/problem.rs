//! Errors as problem documents (RFC 9457).

use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crm_core::{Error, ErrorKind, FieldError, RequestId};
use serde::Serialize;
use uuid::Uuid;

/// Why a request was not served. The body is written where the request's id is known.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    existing_id: Option<Uuid>,
    retry_after: Option<u64>,
}

/// The document.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document<'p> {
    /// Always `about:blank`: `code` says what kind of problem it is.
    #[serde(rename = "type")]
    of_type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What went wrong, for people.
    detail: &'p str,
    /// What went wrong, for programs: a stable word.
    code: &'static str,
    /// The request, as the logs name it.
    request_id: &'p str,
    /// One entry for each refused value.
    errors: &'p [FieldError],
    /// The record that holds the value, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_id: Option<Uuid>,
}

/// The status of each kind of error: the one table of it.
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed | ErrorKind::UnknownParameter | ErrorKind::InvalidCursor => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Unauthenticated | ErrorKind::TokenReused | ErrorKind::SecondFactorRequired => {
            StatusCode::UNAUTHORIZED
        }
        ErrorKind::Forbidden | ErrorKind::StepUpRequired => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::IdempotencyInProgress => {
            StatusCode::CONFLICT
        }
        ErrorKind::VersionConflict => StatusCode::PRECONDITION_FAILED,
        ErrorKind::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Invalid | ErrorKind::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Seconds after which something that is not there now may be there again.
const UNAVAILABLE_FOR: u64 = 1;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        if !kind.is_callers() {
            tracing::error!(error = ?error, "a request failed");
        } else if kind == ErrorKind::Unauthenticated {
            tracing::debug!(error = ?error, "nobody is signed in");
        }
        let waits = error.retry_after().map(|wait| wait.as_secs_f64().ceil().max(1.0) as u64);
        Problem {
            status: status_of(kind),
            code: kind.code(),
            detail: error.message().to_owned().into(),
            errors: error.fields().to_vec(),
            existing_id: error.existing_id(),
            retry_after: match kind {
                ErrorKind::RateLimited | ErrorKind::IdempotencyInProgress => waits.or(Some(1)),
                ErrorKind::Unavailable => waits.or(Some(UNAVAILABLE_FOR)),
                ErrorKind::Malformed
                | ErrorKind::UnknownParameter
                | ErrorKind::InvalidCursor
                | ErrorKind::Unauthenticated
                | ErrorKind::TokenReused
                | ErrorKind::SecondFactorRequired
                | ErrorKind::Forbidden
                | ErrorKind::StepUpRequired
                | ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                | ErrorKind::Conflict
                | ErrorKind::VersionConflict
                | ErrorKind::PayloadTooLarge
                | ErrorKind::UnsupportedMediaType
                | ErrorKind::Invalid
                | ErrorKind::IdempotencyKeyReused
                | ErrorKind::Internal => None,
            },
        }
    }
}

impl Problem {
    /// A problem of HTTP itself, which the core knows nothing of.
    pub(crate) fn of_http(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Problem {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            existing_id: None,
            retry_after: None,
        }
    }

    /// The stable word for what went wrong.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The reply to the request with this id.
    pub(crate) fn reply(&self, request_id: &RequestId) -> Response {
        let document = Document {
            of_type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id: request_id.as_str(),
            errors: &self.errors,
            existing_id: self.existing_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) async fn no_such_route() -> Problem {
    Problem::from(Error::not_found("path"))
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::of_http(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the path has no such method; `Allow` lists those that it has",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, so that a change of it shows in review.
    #[test]
    fn every_kind_has_a_status() {
        let table: Vec<String> = ErrorKind::ALL
            .iter()
            .map(|kind| format!("{} {}", status_of(*kind).as_u16(), kind.code()))
            .collect();
        insta::assert_snapshot!(table.join("\n"));
        assert!(ErrorKind::ALL.iter().all(|kind| {
            let status = status_of(*kind);
            if kind.is_callers() { status.is_client_error() } else { status.is_server_error() }
        }));
    }
}
