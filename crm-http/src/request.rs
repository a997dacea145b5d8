//! What surrounds every request: its id, its log line, its metrics, its problem document, and what
//! browsers are told of every reply.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crm_core::identity::Arrival;
use crm_core::{Actor, RequestId, TenantId, TenantScope};
use tracing::Instrument;

use crate::App;
use crate::config::Config;
use crate::limits::Counted;
use crate::problem::Problem;
use crate::{address, metrics};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request beside what it says.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    pub(crate) arrival: Arrival,
    /// The address it came from.
    pub(crate) address: Option<IpAddr>,
    found: Arc<Found>,
}

/// What turns out while a request is served.
#[derive(Debug, Default)]
struct Found {
    caller: OnceLock<(TenantId, Actor)>,
    counted: OnceLock<Counted>,
}

impl Framed {
    /// Notes who it comes from, for the log.
    pub(crate) fn came_from(&self, scope: &TenantScope) {
        let _ = self.found.caller.set((scope.tenant(), scope.actor()));
    }

    /// Notes what is left of the caller's requests, for the reply.
    pub(crate) fn was_counted(&self, counted: Counted) {
        let _ = self.found.counted.set(counted);
    }
}

/// Gives the request its id, notes who called, writes the problem document and the log line.
pub(crate) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Began::now();
    let request_id = match request_id(request.headers()) {
        Some(id) => id,
        None => match app.crm.new_request_id() {
            Ok(id) => id,
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    let address = address(&request, &app.config);
    let framed = Framed {
        arrival: Arrival {
            request_id: request_id.clone(),
            address: address.map(|address| address.to_string()),
            user_agent: text(request.headers().get(USER_AGENT)),
        },
        address,
        found: Arc::default(),
    };
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    request.extensions_mut().insert(framed.clone());
    let in_flight = metrics::InFlight::begin();
    // Above every filter, so that each line within a request holds its id.
    let span = tracing::error_span!("request", request_id = request_id.as_str());
    let mut response = next.run(request).instrument(span).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        let headers = std::mem::take(response.headers_mut());
        let mut document = problem.reply(&request_id);
        for (name, value) in &headers {
            if !document.headers().contains_key(name) && name != "content-length" {
                document.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response = document;
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(counted) = framed.found.counted.get() {
        counted.tell(headers);
    }
    harden(headers, &app.config);
    drop(in_flight);
    let (status, took) = (response.status(), began.elapsed());
    metrics::served(&method, route, status, took);
    let code = problem.as_ref().map(Problem::code);
    log(&framed, &method, route, (status.as_u16(), code), took);
    response
}

fn log(
    framed: &Framed,
    method: &Method,
    route: Option<&str>,
    (status, code): (u16, Option<&'static str>),
    took: Duration,
) {
    let caller = framed.found.caller.get();
    tracing::info!(
        target: "crm_http::access",
        request_id = framed.arrival.request_id.as_str(),
        tenant = caller.map(|(tenant, _)| tracing::field::display(tenant)),
        user = caller.map(|(_, actor)| tracing::field::display(actor)),
        address = framed.arrival.address.as_deref(),
        %method,
        route,
        status,
        code,
        duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
        "served"
    );
}

/// What keeps browsers from doing more with a reply than it is for, unless its route has said otherwise.
fn harden(headers: &mut HeaderMap, config: &Config) {
    let mut unless_said = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    unless_said(X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_said(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    );
    unless_said(REFERRER_POLICY, "no-referrer");
    unless_said(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    unless_said(CACHE_CONTROL, "no-store");
    if config.is_https() {
        unless_said(STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
}

/// The moment, to measure how long something takes.
#[derive(Clone, Copy)]
pub(crate) struct Began(Instant);

impl Began {
    #[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
    pub(crate) fn now() -> Self {
        Began(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "durations are measured by the monotonic clock")]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The caller's id of the request, where it is one.
fn request_id(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(REQUEST_ID)?.to_str().ok()?.parse().ok()
}

fn address(request: &Request, config: &Config) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let (trusted, header) = (&config.trusted_proxies, config.proxy_header);
    Some(address::of_caller(peer.ip(), request.headers(), trusted, header))
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
