//! How much a request may be, how long it may take, and how many a caller may send.

use std::any::Any;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crm_core::ports::{Allowance, Quota};
use crm_core::{Error, ErrorKind, TenantScope};
use http_body_util::{LengthLimitError, Limited};
use tower_http::compression::predicate::Predicate;
use tower_http::timeout::TimeoutBody;

use crate::App;
use crate::address;
use crate::problem::Problem;
use crate::request::Framed;

/// Bytes of the longest path with its parameters.
const LONGEST_TARGET: usize = 8 * 1024;

/// Routes whose body is a stream: bounded by what it may be, not by how long it takes.
const STREAMED: [&str; 1] = ["/contacts/import"];

/// Compressed bytes are worth their time from here on.
const WORTH_COMPRESSING: u64 = 1024;

/// What is left of a caller's requests.
#[derive(Debug)]
pub(crate) struct Counted {
    policy: &'static str,
    quota: Quota,
    allowance: Allowance,
}

impl Counted {
    /// Tells the caller (draft-ietf-httpapi-ratelimit-headers-10).
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let Counted { policy, quota, allowance } = self;
        let window = quota.interval.saturating_mul(quota.burst);
        let wait = if allowance.allowed { allowance.full_after } else { allowance.retry_after };
        let mut insert = |name, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        let (q, w) = (quota.burst, seconds(window));
        insert("ratelimit-policy", format!("\"{policy}\";q={q};w={w}"));
        insert("ratelimit", format!("\"{policy}\";r={};t={}", allowance.remaining, seconds(wait)));
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Counts a request of somebody who is known.
pub(crate) async fn count_caller(
    app: &App,
    framed: &Framed,
    scope: &TenantScope,
) -> Result<(), Problem> {
    let Some(quota) = app.config.per_caller else { return Ok(()) };
    let key = format!("http:{}:{}", scope.tenant(), scope.actor());
    count(app, framed, "caller", quota, &key).await
}

/// Counts a request of nobody who is known.
pub(crate) async fn count_stranger(app: &App, framed: &Framed) -> Result<(), Problem> {
    let (Some(quota), Some(address)) = (app.config.per_address, framed.address) else {
        return Ok(());
    };
    let key = format!("http:{}", address::counted(address));
    count(app, framed, "address", quota, &key).await
}

async fn count(
    app: &App,
    framed: &Framed,
    policy: &'static str,
    quota: Quota,
    key: &str,
) -> Result<(), Problem> {
    let allowance = match app.crm.take(key, quota).await {
        Ok(allowance) => allowance,
        // Better served uncounted than not at all.
        Err(error) => {
            tracing::warn!(?error, "requests are not counted");
            return Ok(());
        }
    };
    framed.was_counted(Counted { policy, quota, allowance });
    if allowance.allowed {
        return Ok(());
    }
    let message = "too many requests; wait before the next one";
    Err(Error::rate_limited(message, allowance.retry_after).into())
}

/// Marks a reply that may be compressed.
#[derive(Debug, Clone, Copy)]
struct Compressible;

/// Refuses what is too much, and bounds the rest.
pub(crate) async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let path = path.unwrap_or_default().to_owned();
    // A secret in a compressed reply can be guessed by its length (BREACH).
    let compressible = request.method() == Method::GET && !path.contains("/auth/");
    let mut response = match bounded(&app, request, &path, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if compressible {
        response.extensions_mut().insert(Compressible);
    }
    response
}

async fn bounded(app: &App, request: Request, path: &str, next: Next) -> Result<Response, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > LONGEST_TARGET {
        return Err(Problem::of_http(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "the path and its parameters have more than 8192 bytes",
        ));
    }
    // Whoever asks for the health of many nodes is no caller; a bearer is counted when it is known whose.
    let is_probe = path.ends_with("/health/live") || path.ends_with("/health/ready");
    // A carrier has few addresses and many calls; what it has not signed is counted where it is refused.
    let is_webhook = path.contains("/webhooks/");
    if !request.headers().contains_key(AUTHORIZATION)
        && !is_probe
        && !is_webhook
        && let Some(framed) = request.extensions().get::<Framed>()
    {
        count_stranger(app, framed).await?;
    }
    let streamed = STREAMED.iter().any(|route| path.ends_with(route));
    let most = if streamed { app.config.import_limit } else { app.config.body_limit };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse().ok()).is_some_and(|length: u64| length > most as u64) {
        let message = format!("the body has more than {most} bytes");
        return Err(Error::new(ErrorKind::PayloadTooLarge, message).into());
    }
    let time = app.config.time_limit;
    let request = request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Limited::new(TimeoutBody::new(time, body), most))
    });
    if streamed {
        return Ok(next.run(request).await);
    }
    tokio::time::timeout(time, next.run(request)).await.map_err(|_| {
        Error::unavailable("the request took too long", format!("{path} after {time:?}")).into()
    })
}

/// What is compressed: text of some length, on the routes that allow it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts;

impl Predicate for Texts {
    fn should_compress<B: HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let named = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let named = named.unwrap_or_default();
        let is_text = named.starts_with("text/")
            || ["json", "jsonl", "ndjson", "javascript"].iter().any(|kind| {
                let essence = named.split(';').next().unwrap_or_default().trim();
                essence.starts_with("application/") && essence.ends_with(kind)
            });
        is_text
            && response.extensions().get::<Compressible>().is_some()
            && response.body().size_hint().exact().is_none_or(|size| size >= WORTH_COMPRESSING)
    }
}

/// Why a body could not be read to its end.
pub(crate) fn unread(error: axum::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(at) = cause {
        if at.is::<LengthLimitError>() {
            return Error::new(ErrorKind::PayloadTooLarge, "the body is larger than what is taken")
                .with_source(error);
        }
        cause = at.source();
    }
    Error::new(ErrorKind::Malformed, "the body was cut off").with_source(error)
}

/// A handler that has panicked.
#[expect(clippy::needless_pass_by_value, reason = "the layer gives it away")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::from(Error::internal(text.unwrap_or("a panic").to_owned())).into_response()
}
