//! The audio of a recording, piece by piece. It may lie with others: a redirection is followed, and the
//! secrets stay behind.

use std::time::Duration;

use bytes::Bytes;
use crm_core::telephony::CarrierAudio;
use crm_core::{Error, ErrorKind, Result};
use futures::stream;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, Response};
use url::Url;

use crate::account::{Account, is_sid};
use crate::error::{Failure, Fate};
use crate::rest::{Repeat, Rest, refused};

/// How often the audio may be said to be elsewhere.
const REDIRECTIONS: usize = 5;
/// What is asked for by `.wav`.
const WAV: &str = "audio/x-wav";

pub(crate) async fn fetch(
    rest: &Rest,
    account: &Account<'_>,
    recording: &str,
) -> Result<CarrierAudio> {
    if !is_sid(recording, "RE") {
        return Err(Error::not_found("recording"));
    }
    // Without a number of channels it comes as it was recorded.
    let url = account.url(&format!("Recordings/{recording}.wav"), &[]);
    let response = rest.retrying(Repeat::Always, || opened(rest, account, url.clone())).await?;
    let content_type = content_type(response.headers())?;
    let bytes = response.content_length();
    let idle = rest.options.idle_timeout;
    let stream = stream::try_unfold(response, move |response| piece(response, idle));
    Ok(CarrierAudio { content_type, bytes, stream: Box::pin(stream) })
}

/// The answer that has the audio, wherever it is.
async fn opened(rest: &Rest, account: &Account<'_>, mut url: Url) -> Result<Response, Failure> {
    let mut ours = true;
    for _ in 0..=REDIRECTIONS {
        let mut request = rest.request(Method::GET, url.clone());
        if ours {
            request = request.basic_auth(account.user, Some(account.password));
        }
        let response = within(rest.options.idle_timeout, request.send()).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        if !response.status().is_redirection() {
            let failure = refused(response).await;
            return Err(if ours { failure } else { of_others(failure) });
        }
        url = elsewhere(account, &url, response.headers())?;
        // Who was sent to others does not come back with secrets.
        ours = ours && url.origin() == account.api.origin();
    }
    Err(lost("the recording is sent from place to place"))
}

fn elsewhere(account: &Account<'_>, from: &Url, headers: &HeaderMap) -> Result<Url, Failure> {
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
    let url = place.and_then(|place| from.join(place).ok());
    let safe = |url: &Url| url.scheme() == "https" || url.scheme() == account.api.scheme();
    url.filter(safe).ok_or_else(|| lost("the recording is said to be where it is not fetched from"))
}

fn lost(what: &'static str) -> Failure {
    let error = Error::new(ErrorKind::Unavailable, what);
    Failure { error, fate: Fate::Refused, wait: None }
}

/// What others refuse says nothing of our account: it is there, or it is not.
fn of_others(failure: Failure) -> Failure {
    use ErrorKind::{NotFound, RateLimited, Unavailable};
    if matches!(failure.error.kind(), NotFound | RateLimited | Unavailable) {
        return failure;
    }
    let what = "the place of the recording refuses it";
    Failure { error: Error::unavailable(what, failure.error), ..failure }
}

async fn piece(mut response: Response, idle: Duration) -> Result<Option<(Bytes, Response)>> {
    let piece = within(idle, response.chunk()).await?;
    Ok(piece.map(|piece| (piece, response)))
}

async fn within<T>(
    idle: Duration,
    work: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(idle, work).await {
        Ok(done) => done.map_err(Failure::transport),
        Err(error) => Err(Failure::unreadable("the recording does not come on", error)),
    }
}

/// Storage that knows no audio says that it is any bytes. A page for people is not what was asked for.
fn content_type(headers: &HeaderMap) -> Result<String> {
    let text = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or(WAV);
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.starts_with("audio/") && essence.len() <= 64 {
        return Ok(essence);
    }
    if ["application/octet-stream", "binary/octet-stream"].contains(&essence.as_str()) {
        return Ok(WAV.to_owned());
    }
    Err(Error::new(ErrorKind::Unavailable, "the carrier sent something else than audio"))
}
