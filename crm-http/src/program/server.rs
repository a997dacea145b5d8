//! Connections: accepted, bounded, and ended in order.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{ServiceExt, service_fn};

/// Bytes of the largest head of a request.
const LARGEST_HEAD: usize = 32 * 1024;
/// Requests at once on a connection of HTTP/2.
const STREAMS: u32 = 128;
/// How long to wait where the system has no more files to give.
const BREATHER: Duration = Duration::from_millis(200);

/// Where and how connections are taken.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    /// The most connections at once; more wait to be accepted.
    pub(crate) connections: usize,
    /// How long the head of a request may take, also the first one, and how long a connection may lie idle.
    pub(crate) head_limit: Duration,
}

impl Server {
    /// Serves until `stop`, then waits for what is in flight, at most for `drain`. Returns how many
    /// connections were cut off.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>, drain: Duration) -> usize {
        let Server { listener, router, connections, head_limit } = self;
        let builder = Arc::new(builder(head_limit));
        let open = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(connections));
        let mut stop = pin!(stop);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.ok()?;
                Some((accept(&listener).await, place))
            };
            let (stream, peer, place) = tokio::select! {
                () = &mut stop => break,
                next = next => match next {
                    Some(((stream, peer), place)) => (stream, peer, place),
                    None => break,
                },
            };
            // Replies are written whole; waiting to join them with others would only delay them.
            stream.set_nodelay(true).ok();
            let connection = Connection {
                builder: Arc::clone(&builder),
                router: router.clone(),
                peer,
                head_limit,
            };
            tokio::spawn(connection.serve(stream, open.watcher(), place));
        }
        drop(listener);
        let left = open.count();
        if left > 0 {
            tracing::info!(connections = left, "stopping; what is in flight is finished");
        }
        let places = (connections, places);
        match tokio::time::timeout(drain, open.shutdown()).await {
            Ok(()) => 0,
            Err(_) => places.0.saturating_sub(places.1.available_permits()),
        }
    }
}

/// A builder of connections that nobody can hold open by saying nothing, or fill with a head.
fn builder(head_limit: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_limit)
        .max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(head_limit)
        .keep_alive_timeout(head_limit)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LARGEST_HEAD as u32);
    builder
}

/// The next connection. What goes wrong with one is no reason to take no other.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                let of_connection = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                );
                if !of_connection {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

struct Connection {
    builder: Arc<Builder<TokioExecutor>>,
    router: Router,
    peer: SocketAddr,
    head_limit: Duration,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher, _place: OwnedSemaphorePermit) {
        let Connection { builder, router, peer, head_limit } = self;
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            seen.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(watcher.watch(connection.into_owned()));
        // Until the first bytes tell which version of HTTP is spoken, no other limit is in force.
        let silent = async {
            tokio::time::sleep(head_limit).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = &mut connection => if let Err(error) = ended {
                tracing::debug!(%peer, error, "a connection has ended");
            },
            () = silent => tracing::debug!(%peer, "a connection said nothing"),
        }
    }
}
