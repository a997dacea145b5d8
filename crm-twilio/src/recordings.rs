//! Recordings over the REST API (twilio.com/docs/voice/api/recording).

use crm_core::telephony::CarrierRecording;
use crm_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::account::{Account, is_sid};
use crate::calls::{next_page, text};
use crate::rest::{Ask, Repeat, Rest};
use crate::words;

/// Pages that are read: a call has a handful of recordings.
const PAGES: usize = 4;

pub(crate) async fn list(
    rest: &Rest,
    account: &Account<'_>,
    call: &str,
) -> Result<Vec<CarrierRecording>> {
    if !is_sid(call, "CA") {
        return Err(Error::not_found("call"));
    }
    let mut recordings = Vec::new();
    let mut next = Some(account.url(&format!("Calls/{call}/Recordings.json"), &[]));
    for _ in 0..PAGES {
        let Some(url) = next.take() else { break };
        let page: RecordingPage = rest.json(account, &Ask::get(url), Repeat::Always).await?;
        next = next_page(account, page.next_page_uri.as_deref())?;
        recordings.extend(page.recordings.into_iter().filter_map(WireRecording::carried));
    }
    Ok(recordings)
}

pub(crate) async fn delete(rest: &Rest, account: &Account<'_>, recording: &str) -> Result<()> {
    if !is_sid(recording, "RE") {
        return Ok(());
    }
    let ask = Ask::delete(account.url(&format!("Recordings/{recording}.json"), &[]));
    match rest.done(account, &ask, Repeat::Always).await {
        Err(failure) if failure.error.kind() != ErrorKind::NotFound => Err(failure.error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[derive(Deserialize)]
struct RecordingPage {
    recordings: Vec<WireRecording>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct WireRecording {
    sid: String,
    status: String,
    #[serde(default)]
    duration: Value,
    #[serde(default)]
    channels: Value,
}

impl WireRecording {
    /// Nothing where the recording is no longer there.
    fn carried(self) -> Option<CarrierRecording> {
        let status = words::recording_status(&self.status).filter(|_| is_sid(&self.sid, "RE"))?;
        Some(CarrierRecording {
            id: self.sid,
            status,
            // -1 until it is known.
            duration_seconds: text(&self.duration).parse().ok(),
            channels: text(&self.channels).parse().ok().filter(|count| [1, 2].contains(count)),
        })
    }
}
