//! A client over a WebSocket (RFC 6455).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use crm_core::ErrorKind;
use futures::SinkExt as _;
use tokio::time::Instant;

use super::follower::Step;
use super::frames::{Ended, FromClient, ToClient};
use super::hub::Connection;
use crate::config::Config;

/// Who takes longer to take what is sent, beyond what the system keeps for them, reads too slowly.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of the largest message of a client.
pub(crate) const LARGEST_MESSAGE: usize = 16 * 1024;
/// Topics of one client.
const MOST_TOPICS: usize = 100;
/// Messages that a client may send at once, and again after a while.
const BURST: f64 = 60.0;
const PER_SECOND: f64 = 10.0;

/// Serves the client until one of both ends it.
pub(crate) async fn serve(mut socket: WebSocket, connection: Connection, config: Arc<Config>) {
    let mut client = Box::new(Client::of(connection));
    let ended = client.serve(&mut socket, &config).await;
    if let Some(ended) = ended {
        let (code, reason) = ended.code();
        metrics::counter!("crm_realtime_closed_total", "reason" => reason).increment(1);
        tracing::debug!(code, reason, connection = %client.connection.id, "a client is sent away");
    }
    drop(client);
    tokio::time::timeout(FAREWELL, part(&mut socket, ended)).await.ok();
}

/// The closing handshake. What the client still says is read, or its own side would throw the reason away.
async fn part(socket: &mut WebSocket, ended: Option<Ended>) {
    let told = match ended {
        Some(ended) => socket.send(Message::Close(Some(ended.frame()))).await,
        None => socket.flush().await,
    };
    if told.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

struct Client {
    connection: Connection,
    heard: Instant,
    asked: bool,
    allowed: f64,
    counted: Instant,
}

impl Client {
    fn of(connection: Connection) -> Self {
        let now = Instant::now();
        Client { connection, heard: now, asked: false, allowed: BURST, counted: now }
    }

    /// Why the server ends the connection; `None` where the client has.
    async fn serve(&mut self, socket: &mut WebSocket, config: &Config) -> Option<Ended> {
        let heartbeat = config.heartbeat;
        let hello = ToClient::Hello {
            connection_id: self.connection.id,
            position: self.connection.follower.position(),
            heartbeat_seconds: heartbeat.as_secs(),
        };
        let mut stop = std::pin::pin!(config.closing.closed());
        if let Some(ended) = send(socket, [Message::Text(hello.text().ok()?)]).await {
            return Some(ended);
        }
        loop {
            let silence = if self.asked { heartbeat * 2 } else { heartbeat };
            let ended = tokio::select! {
                said = socket.recv() => match said {
                    // Boxed, for the memory of those who say nothing.
                    Some(Ok(message)) => match Box::pin(self.hear(message)).await {
                        Ok(Some(answer)) => send(socket, [answer]).await,
                        Ok(None) => None,
                        Err(End::ByClient) => return None,
                        Err(End::ByServer(ended)) => Some(ended),
                    },
                    Some(Err(error)) => Some(broken(error)?),
                    None => return None,
                },
                step = self.connection.follower.next() => match step {
                    Step::Send(texts) => send(socket, texts.into_iter().map(Message::Text)).await,
                    Step::End(ended) => Some(ended),
                },
                () = tokio::time::sleep_until(self.heard + silence) => {
                    if self.asked {
                        Some(Ended::Silent)
                    } else {
                        self.asked = true;
                        send(socket, [Message::Ping(axum::body::Bytes::new())]).await
                    }
                }
                () = &mut stop => Some(Ended::ServerStops),
            };
            if ended.is_some() {
                return ended;
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<Option<Message>, End> {
        let now = Instant::now();
        self.heard = now;
        self.asked = false;
        let since = now.duration_since(std::mem::replace(&mut self.counted, now));
        self.allowed = (self.allowed + since.as_secs_f64() * PER_SECOND).min(BURST) - 1.0;
        if self.allowed < 0.0 {
            return Err(End::ByServer(Ended::TooMany));
        }
        match message {
            Message::Text(text) => Ok(Some(Message::Text(self.answer(&text).await?))),
            Message::Binary(_) => Err(End::ByServer(Ended::NoText)),
            // Pings are answered below this.
            Message::Ping(_) | Message::Pong(_) => Ok(None),
            Message::Close(_) => Err(End::ByClient),
        }
        .map(|answer| answer.filter(|answer| !is_empty(answer)))
    }

    /// The answer to what a client says; empty where there is none.
    async fn answer(&mut self, text: &str) -> Result<Utf8Bytes, End> {
        let answer = match serde_json::from_str(text) {
            Ok(FromClient::Ping) => ToClient::Pong.text(),
            Ok(FromClient::Ack { notification_id }) => {
                match self.connection.follower.acknowledge(notification_id).await {
                    Ok(()) => return Ok(Utf8Bytes::default()),
                    Err(error) => refusal(&error),
                }
            }
            Ok(FromClient::Subscribe { topics, .. }) if topics.len() > MOST_TOPICS => {
                let message = &format!("at most {MOST_TOPICS} topics can be followed");
                ToClient::Error { code: "invalid", message }.text()
            }
            Ok(FromClient::Subscribe { topics, after }) => {
                match self.connection.follower.subscribe(topics, after).await {
                    Ok(()) => return Ok(Utf8Bytes::default()),
                    Err(error) => refusal(&error),
                }
            }
            Err(error) => {
                let code = ErrorKind::Malformed.code();
                ToClient::Error { code, message: &error.to_string() }.text()
            }
        };
        answer.map_err(|_| End::ByServer(Ended::Internal))
    }
}

fn refusal(error: &crm_core::Error) -> crm_core::Result<Utf8Bytes> {
    ToClient::Error { code: error.kind().code(), message: error.message() }.text()
}

fn is_empty(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.is_empty())
}

enum End {
    ByClient,
    ByServer(Ended),
}

/// Sends all of it, to who takes it in time.
async fn send(
    socket: &mut WebSocket,
    messages: impl IntoIterator<Item = Message>,
) -> Option<Ended> {
    let sent = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    match tokio::time::timeout(PATIENCE, sent).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some(Ended::ProtocolError),
        Err(_) => Some(Ended::Slow),
    }
}

/// What is said to a client that breaks the protocol; `None` where it is gone.
fn broken(error: axum::Error) -> Option<Ended> {
    use tungstenite::Error as Cause;
    let error = error.into_inner();
    let cause = error.downcast_ref::<Cause>()?;
    if matches!(cause, Cause::Capacity(_)) {
        Some(Ended::TooLarge)
    } else if matches!(cause, Cause::Utf8(_)) {
        Some(Ended::NoUtf8)
    } else {
        matches!(cause, Cause::Protocol(_)).then_some(Ended::ProtocolError)
    }
}
