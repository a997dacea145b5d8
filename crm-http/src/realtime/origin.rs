//! Which pages' scripts may connect. Browsers let any page open a WebSocket to anywhere and say only where it
//! comes from (RFC 6455, 10.2).

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use crm_core::{Error, ErrorKind, Result};

use crate::config::Config;

/// Refuses a page of elsewhere. Who sends no `Origin` is no browser.
pub(crate) fn check(headers: &HeaderMap, config: &Config) -> Result<()> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let is_own = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
        let public = config.public_url.as_deref().and_then(origin_of);
        match public {
            Some(public) => public.eq_ignore_ascii_case(origin),
            None => host.is_some() && host == asked,
        }
    };
    let allowed = origins.next().is_none()
        && (config.cors_origins.allows(origin) || origin.to_str().is_ok_and(is_own));
    if allowed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Forbidden, "pages of this origin may not connect"))
}

/// Scheme and host of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    url.get(..scheme.len() + 3 + host.len())
}
