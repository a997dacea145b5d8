//! What is counted and measured of every request, through the facade `metrics`: whoever runs the router
//! installs a recorder, or none.

use std::time::Duration;

use axum::http::{Method, StatusCode};

/// A request that is being served.
pub(crate) struct InFlight(());

impl InFlight {
    pub(crate) fn begin() -> Self {
        metrics::gauge!("crm_http_requests_in_flight").increment(1);
        InFlight(())
    }
}

/// Also where the caller has gone away.
impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("crm_http_requests_in_flight").decrement(1);
    }
}

/// A request that was answered. Each label has a bounded number of values, whatever callers send.
pub(crate) fn served(method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
    let labels = [
        ("method", metrics::SharedString::const_str(known(method))),
        ("route", route.map_or("none".into(), |route| route.to_owned().into())),
        ("status", metrics::SharedString::const_str(class(status))),
    ];
    metrics::counter!("crm_http_requests_total", &labels).increment(1);
    metrics::histogram!("crm_http_request_duration_seconds", &labels).record(took);
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
