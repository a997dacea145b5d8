//! A client that follows events through everything that happens to it.

use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::deployment::Addresses;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Pseudo-random numbers (xorshift), the same each time for one seed.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What a client was told.
#[derive(Default)]
pub(crate) struct Log {
    /// The position at which it began.
    pub(crate) from: String,
    /// Positions and ids of events, as they came.
    pub(crate) events: Vec<(String, String)>,
    pub(crate) resets: usize,
    pub(crate) connections: usize,
}

pub(crate) async fn connect(address: &str, token: &str) -> Option<Socket> {
    let mut request = format!("ws://{address}/ws").into_client_request().ok()?;
    let bearer = format!("Bearer {token}").parse().ok()?;
    request.headers_mut().insert("authorization", bearer);
    let connecting = tokio_tungstenite::connect_async(request);
    let (socket, _) = tokio::time::timeout(Duration::from_secs(10), connecting).await.ok()?.ok()?;
    Some(socket)
}

/// The next frame that is text; `None` where the connection is over or stands still.
pub(crate) async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        // Half of what is open says nothing any more; a client cannot know, and goes after a while.
        let message = tokio::time::timeout(Duration::from_secs(3), socket.next()).await.ok()??;
        match message.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) | Message::Frame(_) => return None,
        }
    }
}

/// Follows until the event with the id that `until` names has come, over as many connections as it takes.
pub(crate) async fn follow(
    addresses: Addresses,
    token: String,
    mut random: Random,
    mut until: tokio::sync::watch::Receiver<Option<String>>,
) -> Log {
    let mut log = Log::default();
    let mut position: Option<String> = None;
    // Connections that were left without a word, as a lost network leaves them.
    let mut abandoned = Vec::new();
    let give_up = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(Instant::now() < give_up, "the last event does not come");
        let some = {
            let known = addresses.lock().unwrap();
            let chosen = random.below(known.len().max(1) as u64) as usize;
            known.get(chosen).cloned()
        };
        let socket = match &some {
            Some(address) => connect(address, &token).await,
            None => None,
        };
        let Some(mut socket) = socket else {
            tokio::time::sleep(Duration::from_millis(20 + random.below(200))).await;
            continue;
        };
        log.connections += 1;
        let Some(hello) = next(&mut socket).await else { continue };
        if position.is_none() {
            log.from = hello["position"].as_str().unwrap().to_owned();
            position = Some(log.from.clone());
        }
        let subscribe = json!({ "type": "subscribe", "topics": ["tenant"], "after": position });
        if socket.send(Message::text(subscribe.to_string())).await.is_err() {
            continue;
        }
        // Leaves after so many events, if nothing else happens.
        let mut stays = 20 + random.below(400);
        loop {
            let is_last = |log: &Log, last: &Option<String>| {
                last.as_ref().is_some_and(|last| log.events.iter().any(|(_, id)| id == last))
            };
            if is_last(&log, &until.borrow_and_update()) {
                return log;
            }
            let Some(frame) = next(&mut socket).await else { break };
            match frame["type"].as_str().unwrap() {
                "event" => {
                    let told = frame["position"].as_str().unwrap().to_owned();
                    position = Some(told.clone());
                    let id = frame["event"]["id"].as_str().unwrap().to_owned();
                    log.events.push((told, id));
                }
                "reset" => {
                    position = Some(frame["position"].as_str().unwrap().to_owned());
                    log.resets += 1;
                }
                other => panic!("{other}"),
            }
            stays -= 1;
            if stays == 0 {
                match random.below(3) {
                    0 => abandoned.push(socket),
                    1 => drop(socket),
                    _ => {
                        socket.close(None).await.ok();
                    }
                }
                break;
            }
        }
    }
}
