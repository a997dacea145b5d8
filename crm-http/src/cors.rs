//! Which web pages' scripts may call.

use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION,
    RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::request::REQUEST_ID;

/// Web pages, by their origins (RFC 6454).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// None: no reply says anything about pages of other origins, so browsers refuse them.
    #[default]
    None,
    /// Every one.
    Any,
    /// These.
    List(Vec<Origin>),
}

/// An origin, e.g. `https://app.example` or `http://localhost:5173`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no origin; write scheme and host, e.g. `https://app.example`, or `*`"
            )
        };
        let (scheme, host) = text.split_once("://").ok_or_else(wrong)?;
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        if !matches!(scheme, "http" | "https") || host.is_empty() || !host.bytes().all(is_host) {
            return Err(wrong());
        }
        // Browsers send the scheme and the host in small letters.
        text.to_ascii_lowercase().parse().map(Origin).map_err(|_| wrong())
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        let list: Vec<Origin> = origins.into_iter().collect();
        if list.is_empty() { Origins::None } else { Origins::List(list) }
    }
}

impl Origins {
    /// Whether pages of this origin are among them.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Origins::None => false,
            Origins::Any => true,
            Origins::List(list) => list.iter().any(|one| one.0 == origin),
        }
    }
}

/// What answers the browsers' questions; nothing where no page may call. No cookie is ever read, so none is
/// allowed.
pub(crate) fn layer(origins: &Origins) -> Option<CorsLayer> {
    let origin = match origins {
        Origins::None => return None,
        Origins::Any => AllowOrigin::any(),
        Origins::List(list) => AllowOrigin::list(list.iter().map(|origin| origin.0.clone())),
    };
    let name = HeaderName::from_static;
    Some(
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                ACCEPT,
                AUTHORIZATION,
                CONTENT_TYPE,
                IF_MATCH,
                REQUEST_ID,
                name("idempotency-key"),
            ])
            .expose_headers([
                ALLOW,
                CONTENT_DISPOSITION,
                ETAG,
                LOCATION,
                RETRY_AFTER,
                REQUEST_ID,
                name("idempotency-replayed"),
                name("ratelimit"),
                name("ratelimit-policy"),
            ])
            .max_age(Duration::from_secs(600)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for text in ["https://app.example", "http://localhost:5173", "https://[::1]:8443"] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in ["", "*", "app.example", "https://", "https://app.example/", "ftp://a.example"]
        {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
