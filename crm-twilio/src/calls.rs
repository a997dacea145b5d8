//! Calls over the REST API (twilio.com/docs/voice/api/call-resource).

use crm_core::calls::{CallStatus, Progress};
use crm_core::telephony::{CarrierCall, OutgoingCall, SoughtCall, Started};
use crm_core::{Error, ErrorKind, Result, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::account::{Account, is_sid};
use crate::error::{Failure, Fate};
use crate::rest::{Ask, Repeat, Rest};
use crate::{twiml, words};

/// Characters that a script may have (the API's parameter `Twiml`).
const LONGEST_SCRIPT: usize = 4_000;
/// Seconds that a call may ring (the API's parameter `Timeout`).
const LONGEST_RING: u64 = 600;
/// What is told of a call. `completed` stands for every end.
const EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];
/// What is told of a recording.
const RECORDING_EVENTS: [&str; 3] = ["in-progress", "completed", "absent"];
/// Pages of a list that are read, and the entries of each, which is the API's most.
const PAGES: usize = 20;
const PAGE_SIZE: &str = "1000";
/// How far Twilio's clock, which says when a call was made, may be from ours.
const CLOCKS_DIFFER: i64 = 10_000_000;

pub(crate) async fn start(
    rest: &Rest,
    account: &Account<'_>,
    call: &OutgoingCall,
) -> Result<Started> {
    let script = twiml::write(&call.script);
    if script.chars().count() > LONGEST_SCRIPT {
        let message = format!("the script of a call has at most {LONGEST_SCRIPT} characters");
        return Err(Error::invalid_field("script", "too_long", message));
    }
    let ask = Ask::post(account.url("Calls.json", &[]), &form(call, &script, &ring(call)));
    // There is no idempotency key for it: whether a request that was not answered was done, only a look
    // at the account's calls can tell.
    match rest.json::<WireCall>(account, &ask, Repeat::IfNotDone).await.and_then(carried) {
        Ok(call) => Ok(Started::Placed(call)),
        Err(Failure { error, fate: Fate::Unknown, .. }) => Ok(Started::Unknown(error)),
        Err(Failure { error, fate: Fate::Unreached | Fate::Limited | Fate::Refused, .. }) => {
            Err(error)
        }
    }
}

fn ring(call: &OutgoingCall) -> String {
    let whole = call.ring_for.as_secs() + u64::from(call.ring_for.subsec_nanos() > 0);
    whole.clamp(1, LONGEST_RING).to_string()
}

/// The fields of a new call. A parameter with several values is said once for each.
fn form<'a>(
    call: &'a OutgoingCall,
    script: &'a str,
    ring: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("To", call.to.as_str()),
        ("From", call.from.as_str()),
        ("Twiml", script),
        ("Timeout", ring),
    ];
    if call.detect_machine {
        form.push(("MachineDetection", "Enable"));
    }
    if call.record {
        form.extend([("Record", "true"), ("RecordingChannels", "dual")]);
    }
    if let Some(callback) = &call.callback {
        form.extend([("StatusCallback", callback.as_str()), ("StatusCallbackMethod", "POST")]);
        form.extend(EVENTS.map(|event| ("StatusCallbackEvent", event)));
        if call.record {
            form.push(("RecordingStatusCallback", callback));
            form.push(("RecordingStatusCallbackMethod", "POST"));
            form.extend(RECORDING_EVENTS.map(|event| ("RecordingStatusCallbackEvent", event)));
        }
    }
    form
}

pub(crate) async fn fetch(rest: &Rest, account: &Account<'_>, call: &str) -> Result<CarrierCall> {
    let ask = Ask::get(account.url(&path(call)?, &[]));
    Ok(rest.json::<WireCall>(account, &ask, Repeat::Always).await.and_then(carried)?)
}

/// `completed` ends a call that rings as well as one that is talked, and its bridged legs with it.
pub(crate) async fn hang_up(rest: &Rest, account: &Account<'_>, call: &str) -> Result<CarrierCall> {
    let ask = Ask::post(account.url(&path(call)?, &[]), &[("Status", "completed")]);
    let ended = rest.json::<WireCall>(account, &ask, Repeat::Always).await.and_then(carried);
    match ended {
        Ok(call) => Ok(call),
        // It may be over already, which is what is wanted.
        Err(Failure { error, .. })
            if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid) =>
        {
            let now = fetch(rest, account, call).await?;
            if now.progress.status().is_end() { Ok(now) } else { Err(error) }
        }
        Err(failure) => Err(failure.error),
    }
}

/// By numbers alone, and the time is compared here: a call that waits in Twilio's queue has no start, and
/// a filter by it would hide the very call that is looked for.
pub(crate) async fn find(
    rest: &Rest,
    account: &Account<'_>,
    sought: &SoughtCall,
) -> Result<Vec<CarrierCall>> {
    let (to, from) = (sought.to.as_str(), sought.from.as_str());
    let query = [("To", to), ("From", from), ("PageSize", PAGE_SIZE)];
    let wanted = sought.since.saturating_add_micros(-CLOCKS_DIFFER)
        ..=sought.until.saturating_add_micros(CLOCKS_DIFFER);
    let mut found: Vec<(Option<Timestamp>, CarrierCall)> = Vec::new();
    let mut next = Some(account.url("Calls.json", &query));
    for _ in 0..PAGES {
        let Some(url) = next.take() else { break };
        let page: CallPage = rest.json(account, &Ask::get(url), Repeat::Always).await?;
        next = next_page(account, page.next_page_uri.as_deref())?;
        for call in page.calls {
            let made = call.date_created.as_deref().and_then(words::time);
            // A leg that a script has dialled is no call of ours.
            let ours = call.direction.as_deref().is_none_or(|way| way == "outbound-api");
            if ours && made.is_none_or(|made| wanted.contains(&made)) {
                found.push((made, carried(call)?));
            }
        }
    }
    found.sort_by_key(|(made, _)| *made);
    Ok(found.into_iter().map(|(_, call)| call).collect())
}

/// Where the next page is: on the same host, or the secrets would go elsewhere.
pub(crate) fn next_page(account: &Account<'_>, uri: Option<&str>) -> Result<Option<url::Url>> {
    let Some(uri) = uri.filter(|uri| !uri.is_empty()) else { return Ok(None) };
    let url = account.api.join(uri).ok().filter(|url| url.origin() == account.api.origin());
    match url {
        Some(url) => Ok(Some(url)),
        None => Err(Error::new(ErrorKind::Unavailable, "the carrier's next page is elsewhere")),
    }
}

/// The path of a call. A name that Twilio does not give is not asked for.
fn path(call: &str) -> Result<String> {
    if is_sid(call, "CA") {
        Ok(format!("Calls/{call}.json"))
    } else {
        Err(Error::not_found("call"))
    }
}

#[derive(Deserialize)]
struct CallPage {
    calls: Vec<WireCall>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

/// A call as the API writes it. All but its name and status may be missing, and numbers are texts.
#[derive(Deserialize)]
pub(crate) struct WireCall {
    sid: String,
    status: String,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
    #[serde(default)]
    duration: Value,
    #[serde(default)]
    price: Value,
    #[serde(default)]
    price_unit: Option<String>,
    #[serde(default)]
    answered_by: Option<String>,
    #[serde(default)]
    direction: Option<String>,
}

fn carried(call: WireCall) -> Result<CarrierCall, Failure> {
    let status = words::call_status(&call.status).filter(|_| is_sid(&call.sid, "CA"));
    let Some(status) = status else {
        let what = "the carrier's answer is no call";
        return Err(Failure::unreadable(
            what,
            format!("status {:?}", words::sentence(&call.status)),
        ));
    };
    let at = match status {
        CallStatus::Queued => call.date_created.as_deref(),
        CallStatus::Initiated | CallStatus::Ringing | CallStatus::InProgress => None,
        CallStatus::Failed
        | CallStatus::Canceled
        | CallStatus::NoAnswer
        | CallStatus::Busy
        | CallStatus::Completed => call.end_time.as_deref(),
    };
    let mut progress = Progress::step(status, None, at.and_then(words::time));
    if status == CallStatus::Completed {
        progress.duration_seconds = text(&call.duration).parse().ok();
    }
    let currency = call.price_unit.as_deref().unwrap_or_default();
    progress.price = words::price(&text(&call.price), currency);
    progress.answered_by = call.answered_by.as_deref().and_then(words::answered_by);
    Ok(CarrierCall { id: call.sid, progress })
}

/// A number as the API writes it: mostly as a text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
