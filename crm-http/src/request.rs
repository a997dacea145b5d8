//! What surrounds every request: its id, its log line, its problem document.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crm_core::identity::Arrival;
use crm_core::{Actor, RequestId, TenantId, TenantScope};

use crate::App;
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request beside what it says.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    pub(crate) arrival: Arrival,
    /// Who it turned out to come from, for the log.
    pub(crate) caller: Arc<OnceLock<(TenantId, Actor)>>,
}

impl Framed {
    pub(crate) fn came_from(&self, scope: &TenantScope) {
        let _ = self.caller.set((scope.tenant(), scope.actor()));
    }
}

/// Gives the request its id, notes who called, writes the problem document and the log line.
pub(crate) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = now();
    let request_id = match request_id(request.headers()) {
        Some(id) => id,
        None => match app.crm.new_request_id() {
            Ok(id) => id,
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    let framed = Framed {
        arrival: Arrival {
            request_id: request_id.clone(),
            address: address(&request),
            user_agent: text(request.headers().get(USER_AGENT)),
        },
        caller: Arc::default(),
    };
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(framed.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let headers = std::mem::take(response.headers_mut());
        let mut document = problem.reply(&request_id);
        for (name, value) in &headers {
            if !document.headers().contains_key(name) && name != "content-length" {
                document.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response = document;
    }
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let caller = framed.caller.get();
    tracing::info!(
        target: "crm_http::access",
        request_id = request_id.as_str(),
        tenant = caller.map(|(tenant, _)| tracing::field::display(tenant)),
        actor = caller.map(|(_, actor)| tracing::field::display(actor)),
        %method,
        route = route.as_deref(),
        status = response.status().as_u16(),
        duration_ms = began.elapsed_ms(),
        "served"
    );
    response
}

/// The moment, to measure how long something takes.
struct Began(Instant);

#[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
fn now() -> Began {
    Began(Instant::now())
}

impl Began {
    #[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
    fn elapsed_ms(&self) -> f64 {
        (self.0.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }
}

/// The caller's id of the request, where it is one.
fn request_id(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(REQUEST_ID)?.to_str().ok()?.parse().ok()
}

fn address(request: &Request) -> Option<String> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_string())
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
