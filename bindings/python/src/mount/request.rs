//! The request that a scope of ASGI describes.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// What a path has as it is (RFC 3986, 3.3).
const AS_IS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The head of a request, below which prefix it came, and from whom.
pub(super) struct Arrived {
    pub(super) prefix: String,
    pub(super) peer: Option<SocketAddr>,
    pub(super) request: Request<()>,
}

/// The head of the request that a scope describes; none where it is not HTTP.
pub(super) fn arrived(scope: &Bound<'_, PyDict>) -> PyResult<Option<Arrived>> {
    let py = scope.py();
    let Some(target) = target(scope)? else { return Ok(None) };
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from(target);
    if let Some(method) = scope.get_item(pyo3::intern!(py, "method"))? {
        let Ok(method) = Method::from_bytes(method.cast::<PyString>()?.to_str()?.as_bytes()) else {
            return Ok(None);
        };
        *request.method_mut() = method;
    }
    if let Some(listed) = scope.get_item(pyo3::intern!(py, "headers"))? {
        let headers = request.headers_mut();
        for pair in listed.try_iter()? {
            let pair = pair?;
            let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
            let name = HeaderName::from_bytes(name.cast::<PyBytes>()?.as_bytes());
            let value = HeaderValue::from_bytes(value.cast::<PyBytes>()?.as_bytes());
            let (Ok(name), Ok(value)) = (name, value) else { return Ok(None) };
            headers.append(name, value);
        }
    }
    let prefix = match scope.get_item(pyo3::intern!(py, "root_path"))? {
        Some(path) => encoded(path.cast::<PyString>()?.to_str()?),
        None => String::new(),
    };
    Ok(Some(Arrived { prefix, peer: peer(scope)?, request }))
}

fn encoded(path: &str) -> String {
    utf8_percent_encode(path, AS_IS).to_string()
}

/// The path as the client wrote it, where the server knows that, and the query.
fn target(scope: &Bound<'_, PyDict>) -> PyResult<Option<PathAndQuery>> {
    let py = scope.py();
    let raw = scope.get_item(pyo3::intern!(py, "raw_path"))?.filter(|raw| !raw.is_none());
    let mut target = match raw {
        Some(raw) => {
            let raw = raw.cast::<PyBytes>()?.as_bytes();
            raw.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec()
        }
        None => {
            let path = scope.get_item(pyo3::intern!(py, "path"))?;
            let path = path.ok_or_else(|| PyTypeError::new_err("the scope has no path"))?;
            encoded(path.cast::<PyString>()?.to_str()?).into_bytes()
        }
    };
    if let Some(query) = scope.get_item(pyo3::intern!(py, "query_string"))? {
        let query = query.cast::<PyBytes>()?.as_bytes();
        if !query.is_empty() {
            target.push(b'?');
            target.extend_from_slice(query);
        }
    }
    Ok(PathAndQuery::from_maybe_shared(Bytes::from(target)).ok())
}

/// Who the server is connected to, where that has an address.
fn peer(scope: &Bound<'_, PyDict>) -> PyResult<Option<SocketAddr>> {
    let client = scope.get_item(pyo3::intern!(scope.py(), "client"))?;
    let Some(client) = client.filter(|client| !client.is_none()) else { return Ok(None) };
    let host = client.get_item(0)?.extract::<String>()?;
    let port = client.get_item(1)?.extract::<Option<u16>>().unwrap_or_default();
    Ok(host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port.unwrap_or_default())))
}
