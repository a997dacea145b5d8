//! A client over server-sent events, for who has no WebSockets.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, StreamExt as _};
use serde::Deserialize;

use super::follower::Step;
use super::frames::ToClient;
use super::hub::Connection;
use crate::config::Config;

/// What of a frame becomes the fields of an event of the stream.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    of_type: String,
    position: Option<String>,
}

/// The stream of who follows. Each event's name is the frame's `type`, its data the frame, its id the position.
pub(crate) fn serve(connection: Connection, config: &Config) -> Response {
    let closing = config.closing.clone();
    let hello = ToClient::Hello {
        connection_id: connection.id,
        position: connection.follower.position(),
        heartbeat_seconds: config.heartbeat.as_secs(),
    };
    let hello = stream::iter(hello.text().ok()).map(|text| Ok(event(&text)));
    let steps = stream::unfold((connection, closing), |(mut connection, closing)| async move {
        let step = tokio::select! {
            step = connection.follower.next() => step,
            () = closing.closed() => return None,
        };
        match step {
            Step::Send(texts) => Some((texts, (connection, closing))),
            Step::End(_) => None,
        }
    });
    let events =
        steps.flat_map(|texts| stream::iter(texts).map(|text| Ok::<_, Infallible>(event(&text))));
    let keep_alive = KeepAlive::new().interval(config.heartbeat);
    let mut response = Sse::new(hello.chain(events).fuse()).keep_alive(keep_alive).into_response();
    // Proxies are to pass on what comes at once.
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

fn event(text: &str) -> Event {
    let event = Event::default().data(text);
    match serde_json::from_str::<Head>(text) {
        Ok(Head { of_type, position: Some(position) }) => event.event(of_type).id(position),
        Ok(Head { of_type, position: None }) => event.event(of_type),
        Err(_) => event,
    }
}
