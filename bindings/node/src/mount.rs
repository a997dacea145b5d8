//! The CRM's routes, called with what a server of Node has read.

mod bodies;
mod pipe;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use crm_core::{Crm, Error, ErrorKind, Result};
use crm_http::Mount;
use napi::bindgen_prelude::{
    Buffer, Env, PromiseRaw, Uint8Array, spawn, within_runtime_if_available,
};
use napi_derive::napi;
use tokio::sync::{mpsc, watch};

use self::bodies::{Incoming, Outgoing};
pub use self::pipe::NativePipe;
use crate::crm::Open;
use crate::crossing::{promise, thrown};

/// Of a connection, which the host's server speaks for.
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "date", "keep-alive", "transfer-encoding", "upgrade"];

/// The routes of a CRM, from when they are made until they or the CRM are closed.
#[napi]
pub struct NativeMount {
    /// None once it is closed: who is asked later keeps no store open.
    mount: Arc<Mutex<Option<Mount>>>,
    stop: watch::Sender<bool>,
}

impl NativeMount {
    /// Runs the relay beside the routes, so that what other processes do is heard by who follows events.
    pub(crate) fn start(mount: Mount, crm: Crm, open: &Arc<Open>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let of_crm = open.closed();
        let mount = Arc::new(Mutex::new(Some(mount)));
        let closing = Arc::clone(&mount);
        spawn(async move {
            let relay = crm.relay();
            let end = async move {
                // An error says that the mount itself is gone.
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                    () = of_crm => {}
                }
                let mount = closing.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(mount) = mount {
                    mount.close();
                }
            };
            relay.run(tokio::time::sleep, end).await;
        });
        NativeMount { mount, stop }
    }

    fn mount(&self) -> Result<Mount> {
        let mount = self.mount.lock().unwrap_or_else(PoisonError::into_inner).clone();
        mount.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the CRM is closed"))
    }
}

#[napi]
impl NativeMount {
    /// Begins a request. `head` is the method, the target, the prefix, the peer's address and port, and each
    /// header's name and value, with line feeds between them: texts cross slowly. A `body` is whole; without
    /// one it is pushed where `pushed`, and empty otherwise.
    #[napi]
    pub fn begin(
        &self,
        head: String,
        body: Option<Uint8Array>,
        pushed: bool,
    ) -> napi::Result<NativeExchange> {
        let begun = || {
            let mount = self.mount()?;
            let (prefix, peer, request) = arrived(&head).ok_or_else(malformed)?;
            let (incoming, body) = match body {
                Some(bytes) => (None, Body::from(Bytes::copy_from_slice(&bytes))),
                None if pushed => {
                    let (incoming, body) = Incoming::new();
                    (Some(incoming), body)
                }
                None => (None, Body::empty()),
            };
            let request = request.map(|()| body);
            Ok(NativeExchange {
                asked: Mutex::new(Some(Asked { mount, prefix, peer, request })),
                incoming: Mutex::new(incoming),
                outgoing: Arc::default(),
                gone: watch::Sender::new(false),
            })
        };
        begun().map_err(|error| thrown(&error))
    }

    /// A connection of bytes, for a prefix and a peer.
    #[napi]
    pub fn connect(&self, prefix: String, address: String, port: u32) -> napi::Result<NativePipe> {
        let mount = self.mount().map_err(|error| thrown(&error))?;
        let peer = peer(&address, port);
        Ok(NativePipe::new(within_runtime_if_available(|| mount.connect(&prefix, peer))))
    }

    /// Ends the streams and the sockets; requests from now on are refused.
    #[napi]
    pub fn close(&self) {
        self.stop.send_replace(true);
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::Malformed, "the head of the request cannot be read")
}

fn arrived(head: &str) -> Option<(String, Option<SocketAddr>, Request<()>)> {
    let mut lines = head.split('\n');
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(lines.next()?.as_bytes()).ok()?;
    *request.uri_mut() = lines.next()?.parse::<Uri>().ok()?;
    let prefix = lines.next()?.to_owned();
    let peer = peer(lines.next()?, lines.next()?.parse().ok()?);
    while let Some(name) = lines.next() {
        // Node reads each byte of a header as a character of its own.
        let value: Option<Vec<u8>> =
            lines.next()?.chars().map(|letter| u8::try_from(letter).ok()).collect();
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(&value?).ok()?);
    }
    Some((prefix, peer, request))
}

/// Who the server is connected to, where that has an address.
fn peer(address: &str, port: u32) -> Option<SocketAddr> {
    let address = address.split_once('%').map_or(address, |(address, _zone)| address);
    let address: IpAddr = address.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), u16::try_from(port).ok()?))
}

struct Asked {
    mount: Mount,
    prefix: String,
    peer: Option<SocketAddr>,
    request: Request<Body>,
}

/// The beginning of a reply.
#[napi(object, object_from_js = false)]
pub struct NativeAnswer {
    /// Its status.
    pub status: u32,
    /// Each header's name and value, with line feeds between them.
    pub headers: String,
    /// What of its body was there.
    pub body: Buffer,
    /// Whether that is all.
    pub whole: bool,
}

/// A request and its reply.
#[napi]
pub struct NativeExchange {
    asked: Mutex<Option<Asked>>,
    incoming: Mutex<Option<Incoming>>,
    outgoing: Arc<tokio::sync::Mutex<Option<Outgoing>>>,
    gone: watch::Sender<bool>,
}

impl NativeExchange {
    /// Drops the work when the client has gone away.
    fn unless_gone<T, W: Future<Output = Result<T>> + Send>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let mut gone = self.gone.subscribe();
        async move {
            tokio::select! {
                biased;
                _ = gone.wait_for(|gone| *gone) => {
                    Err(Error::new(ErrorKind::Unavailable, "the client has gone away"))
                }
                done = work => done,
            }
        }
    }
}

#[napi]
impl NativeExchange {
    /// Serves it, once.
    #[napi]
    pub fn answer<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, NativeAnswer>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outgoing = Arc::clone(&self.outgoing);
        promise(
            env,
            self.unless_gone(async move {
                let asked = asked.ok_or_else(|| Error::internal("a request is answered once"))?;
                let reply = asked.mount.call(&asked.prefix, asked.peer, asked.request).await;
                let (parts, body) = Response::into_parts(reply);
                let mut rest = Outgoing::new(body);
                let (body, whole) = rest.first().await;
                if !whole {
                    *outgoing.lock().await = Some(rest);
                }
                let headers = header_lines(&parts.headers);
                Ok(NativeAnswer {
                    status: parts.status.as_u16().into(),
                    headers,
                    body: body.into(),
                    whole,
                })
            }),
        )
    }

    /// Gives the body its next bytes, once there is room; whether somebody still reads them.
    #[napi]
    pub fn push<'env>(&self, env: &'env Env, piece: &[u8]) -> napi::Result<PromiseRaw<'env, bool>> {
        let sender = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let sender: Option<mpsc::Sender<Bytes>> = sender.as_ref().map(Incoming::sender);
        let piece = Bytes::copy_from_slice(piece);
        promise(
            env,
            self.unless_gone(async move {
                Ok(match sender {
                    Some(sender) => sender.send(piece).await.is_ok(),
                    None => false,
                })
            }),
        )
    }

    /// The body has been pushed: `whole`, or because its sender has gone away.
    #[napi]
    pub fn end(&self, whole: bool) {
        let incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(incoming) = incoming {
            incoming.end(whole);
        }
    }

    /// The next bytes of the reply; null at the end.
    #[napi]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let outgoing = Arc::clone(&self.outgoing);
        promise(
            env,
            self.unless_gone(async move {
                let mut outgoing = outgoing.lock().await;
                let Some(rest) = outgoing.as_mut() else { return Ok(None) };
                let piece = rest.next().await?;
                if piece.is_none() {
                    *outgoing = None;
                }
                Ok(piece.map(Buffer::from))
            }),
        )
    }

    /// The client has gone away: nobody waits any more, and the reply is dropped.
    #[napi]
    pub fn leave(&self) {
        self.gone.send_replace(true);
        self.end(false);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outgoing = Arc::clone(&self.outgoing);
        spawn(async move {
            outgoing.lock().await.take();
        });
    }
}

fn header_lines(headers: &HeaderMap) -> String {
    let mut lines = String::new();
    for (name, value) in headers {
        if !OF_CONNECTIONS.contains(&name.as_str()) {
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(name.as_str());
            lines.push('\n');
            lines.extend(value.as_bytes().iter().copied().map(char::from));
        }
    }
    lines
}
