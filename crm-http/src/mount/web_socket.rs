//! A WebSocket by its messages.

use axum::body::{Body, Bytes};
use axum::extract::ws::Utf8Bytes;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use axum::response::IntoResponse as _;
use futures::stream::{SplitSink, SplitStream};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

/// No key: a handshake within the process proves nothing to anybody.
const KEY: HeaderValue = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");

/// What the host's server says itself (RFC 6455, 4.1), or what is for a body that is not there.
const OF_THE_HANDSHAKE: [HeaderName; 7] = [
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_EXTENSIONS,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// What came of opening a WebSocket.
#[derive(Debug)]
pub enum Opened {
    /// It is open.
    Accepted(WebSocket),
    /// It is not, and this is to be answered: by `/ws` a problem document (RFC 9457), by other paths what they
    /// answer to any GET.
    Refused(Response<Body>),
}

/// A message in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// A text; those to the CRM have at most 16 KiB.
    Text(Utf8Bytes),
    /// Bytes, which the CRM neither sends nor takes: it closes with 1003.
    Binary(Bytes),
}

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// As in RFC 6455, 7.4: 1005 where the CRM told none, 1006 where the connection just ended.
    pub code: u16,
    /// For people; may be empty.
    pub reason: String,
}

impl Closed {
    fn abnormally() -> Self {
        Closed { code: 1006, reason: String::new() }
    }
}

/// An open WebSocket, as its client has it. It is used from two tasks at once, one for each direction.
#[derive(Debug)]
pub struct WebSocket {
    headers: HeaderMap,
    sender: Mutex<SplitSink<Stream, Message>>,
    receiver: Mutex<Receiver>,
}

#[derive(Debug)]
struct Receiver {
    stream: SplitStream<Stream>,
    closed: Option<Closed>,
}

impl WebSocket {
    /// What the reply says to the client beside the handshake, e.g. `x-request-id`.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The subprotocol that was chosen among those that the client offered.
    pub fn protocol(&self) -> Option<&str> {
        self.headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()
    }

    /// Sends a message; waits while the CRM has not taken those before it.
    ///
    /// # Errors
    /// Where the connection has ended; [`recv`](WebSocket::recv) knows why.
    pub async fn send(&self, message: SocketMessage) -> Result<(), Closed> {
        let message = match message {
            SocketMessage::Text(text) => Message::text(text.as_str()),
            SocketMessage::Binary(bytes) => Message::Binary(bytes),
        };
        self.sender.lock().await.send(message).await.map_err(|_| Closed::abnormally())
    }

    /// The next message of the CRM. A dropped future has taken no message.
    ///
    /// # Errors
    /// Why there is none any more, also when asked again.
    pub async fn recv(&self) -> Result<SocketMessage, Closed> {
        let mut receiver = self.receiver.lock().await;
        if let Some(closed) = &receiver.closed {
            return Err(closed.clone());
        }
        let closed = loop {
            match receiver.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(SocketMessage::Text(text.as_str().into()));
                }
                Some(Ok(Message::Binary(bytes))) => return Ok(SocketMessage::Binary(bytes)),
                // Answered by the stream itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    // Reading on sends the answer to it.
                    receiver.stream.next().now_or_never();
                    break frame.map_or(
                        Closed { code: 1005, reason: String::new() },
                        |CloseFrame { code, reason }| Closed {
                            code: code.into(),
                            reason: reason.as_str().to_owned(),
                        },
                    );
                }
                Some(Err(_)) | None => break Closed::abnormally(),
            }
        };
        Err(receiver.closed.insert(closed).clone())
    }

    /// Tells the CRM that the client has closed, with this code and reason; a code that no frame can hold, such
    /// as 1005 and 1006, is left out.
    pub async fn close(&self, code: u16, reason: &str) {
        let code = tungstenite::protocol::frame::coding::CloseCode::from(code);
        let frame = code.is_allowed().then(|| CloseFrame { code, reason: reason.into() });
        // Where it is closed already, nothing is left to tell.
        self.sender.lock().await.send(Message::Close(frame)).await.ok();
    }
}

/// Asks over the pipe for a WebSocket.
pub(super) async fn open(pipe: DuplexStream, request: Request<()>) -> Opened {
    match handshake(pipe, request).await {
        Ok(opened) => opened,
        // The other end goes away without an answer only where the mount is closed.
        Err(error) => {
            tracing::debug!(%error, "no WebSocket was opened");
            Opened::Refused(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
    }
}

async fn handshake(pipe: DuplexStream, request: Request<()>) -> hyper::Result<Opened> {
    let (mut requests, connection) = http1::handshake(TokioIo::new(pipe)).await?;
    // Ends with the response or the socket, whichever is dropped last.
    tokio::spawn(connection.with_upgrades());
    let mut response = requests.send_request(asking(request)).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Opened::Refused(response.map(Body::new)));
    }
    let upgraded = hyper::upgrade::on(&mut response).await?;
    let mut headers = std::mem::take(response.headers_mut());
    for name in OF_THE_HANDSHAKE.iter().chain([&SEC_WEBSOCKET_ACCEPT]) {
        headers.remove(name);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(None)
        .max_frame_size(None);
    let stream =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
    let (sender, stream) = stream.split();
    let receiver = Mutex::new(Receiver { stream, closed: None });
    Ok(Opened::Accepted(WebSocket { headers, sender: Mutex::new(sender), receiver }))
}

/// The request as HTTP/1.1 has it, with a handshake of its own.
fn asking(request: Request<()>) -> Request<Body> {
    let (parts, ()) = request.into_parts();
    let mut asking = Request::new(Body::empty());
    let headers = asking.headers_mut();
    *headers = parts.headers;
    for name in &OF_THE_HANDSHAKE {
        headers.remove(name);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, KEY);
    if let Some(authority) = parts.uri.authority()
        && !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    let target = parts.uri.path_and_query().cloned();
    *asking.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    asking
}
