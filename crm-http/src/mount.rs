//! The routes for a host that is no axum application: another server of HTTP in the same process.

mod web_socket;

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, OriginalUri};
use axum::http::header::CONTENT_LENGTH;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Response, StatusCode, Uri};
use crm_core::Crm;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::DuplexStream;
use tower::ServiceExt as _;

pub use self::web_socket::{Closed, Opened, SocketMessage, WebSocket};
use crate::config::Config;
use crate::realtime::Closing;

/// Bytes on their way to one who does not read, for each direction of a connection within the process.
const PIPE: usize = 64 * 1024;
/// Bytes of the largest head of a request that comes as bytes.
const LARGEST_HEAD: usize = 32 * 1024;

/// Every route of the CRM, with all that surrounds them, called without a socket. A clone is the same mount.
///
/// Three ways lead in: [`call`](Mount::call) for a request that the host's server has read,
/// [`connect`](Mount::connect) for bytes as they come, and [`open`](Mount::open) for a WebSocket whose
/// frames the host's server reads and writes. All of them need the context of a Tokio runtime with its
/// timers and, like [`router`](crate::router), leave the [worker](Crm::worker) and the [relay](Crm::relay)
/// to the host.
///
/// # Prefixes
///
/// Each way takes the prefix below which the host serves the CRM, as it is written in URLs: e.g. `/crm`, or
/// `""` for the root; a slash at its end says nothing. It is taken from the front of the request's path,
/// where it is there, and stands before each path that a `Location` names. So a request may come with its
/// whole path or without the prefix, and the replies are those of a router that is nested in an axum
/// application. The OpenAPI document names its server relative to itself and knows no prefix.
///
/// # Peers
///
/// The peer is who the host's server is connected to: the caller, or one of
/// [`trusted_proxies`](Config::trusted_proxies) that tells the caller's address. Where there is none, as over
/// a Unix socket, nobody is counted by address.
#[derive(Debug, Clone)]
pub struct Mount {
    router: Router,
    closing: Closing,
}

impl Mount {
    /// The routes of this CRM.
    pub fn new(crm: Crm, config: Config) -> Self {
        let closing = config.closing.clone();
        Mount { router: crate::router(crm, config), closing }
    }

    /// Serves one request. The response comes when its head is known, and its body as it is made: an export as
    /// it is read, the events of `/events` as they happen. The request's body is read as it is needed.
    ///
    /// Dropping the future or the body is what the end of a connection is: nobody waits for the rest any
    /// more, while a write that has begun comes to its end. Refusals are responses, with problem
    /// documents (RFC 9457). `/ws` cannot be served so and is refused.
    pub async fn call(
        &self,
        prefix: &str,
        peer: Option<SocketAddr>,
        mut request: Request<Body>,
    ) -> Response<Body> {
        arrive(&mut request, prefix, peer);
        let mut response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        // There is no body that could have a length (RFC 9110, 8.6), which a server of HTTP knows.
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            && response.body().is_end_stream()
        {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }

    /// A connection of HTTP/1.1 with upgrades, for hosts that pass on what arrives byte by byte: what is
    /// written to the stream is read as requests, the replies are read from it. It keeps 64 KiB for each
    /// direction and then waits; a head may have 32 KiB and take 30 s.
    ///
    /// The server's side ends when the stream is dropped or shut down, after a request that asks for it, and
    /// after [`close`](Mount::close).
    pub fn connect(&self, prefix: &str, peer: Option<SocketAddr>) -> DuplexStream {
        let (host, server) = tokio::io::duplex(PIPE);
        tokio::spawn(self.clone().serve(server, prefix.to_owned(), peer));
        host
    }

    async fn serve(self, stream: DuplexStream, prefix: String, peer: Option<SocketAddr>) {
        let service = service_fn(|request: Request<hyper::body::Incoming>| {
            let mount = self.clone();
            let prefix = prefix.clone();
            async move { Ok::<_, Infallible>(mount.call(&prefix, peer, request.map(Body::new)).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            // What has been asked before the end is answered.
            biased;
            ended = &mut connection => ended,
            () = self.closing.closed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection within the process has ended");
        }
    }

    /// Opens a WebSocket for a host whose server reads and writes the frames itself, from the head of the
    /// request: its URI and all its headers, of which those of the handshake itself are not needed.
    ///
    /// The host then passes messages on in both directions, and reads from it even where it has nothing to
    /// send: whoever is not heard of for two [heartbeats](Config::heartbeat) is sent away. Pings are
    /// answered within. Dropping the future or the socket is what the end of a connection is.
    pub async fn open(
        &self,
        prefix: &str,
        peer: Option<SocketAddr>,
        request: Request<()>,
    ) -> Opened {
        web_socket::open(self.connect(prefix, peer), request).await
    }

    /// Ends the streams of `/events`, the WebSockets (with code 1001) and the idle connections, and those that
    /// come later; other requests are served as before. A host calls it when it stops, or would wait for
    /// clients that follow events for ever. The same as [`Config::closing`].
    pub fn close(&self) {
        self.closing.close();
    }
}

/// Notes where the request was sent to and by whom, as nesting and a listener would.
fn arrive(request: &mut Request<Body>, prefix: &str, peer: Option<SocketAddr>) {
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    if let Some((whole, inner)) = below(request.uri(), prefix.trim_end_matches('/')) {
        request.extensions_mut().insert(OriginalUri(whole));
        *request.uri_mut() = inner;
    }
}

/// The URI with the prefix and without it; nothing where both are the same.
fn below(uri: &Uri, prefix: &str) -> Option<(Uri, Uri)> {
    let path = uri.path_and_query()?.as_str();
    if prefix.is_empty() || !path.starts_with('/') {
        return None;
    }
    let rest = path
        .strip_prefix(prefix)
        .filter(|rest| matches!(rest.chars().next(), None | Some('/' | '?')));
    let with = |path: String| {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
        Uri::from_parts(parts).ok()
    };
    match rest {
        Some(rest) if rest.starts_with('/') => Some((uri.clone(), with(rest.to_owned())?)),
        Some(rest) => Some((uri.clone(), with(format!("/{rest}"))?)),
        None => Some((with(format!("{prefix}{path}"))?, uri.clone())),
    }
}
