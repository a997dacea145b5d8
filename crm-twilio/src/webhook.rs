//! What Twilio's webhooks say (twilio.com/docs/voice/api/call-resource, twilio.com/docs/voice/twiml).

use crm_core::calls::{CallFailure, CallStatus, Progress, RecordingStatus};
use crm_core::telephony::{CarrierCall, CarrierRecording, Webhook, WebhookNews, WebhookRequest};
use crm_core::{Error, ErrorKind, PhoneNumber, Result};

use crate::account::is_sid;
use crate::form::Form;
use crate::words;

/// What stands for a caller who is not named: these words, typed on a telephone's keys.
const WITHHELD: [&str; 6] = [
    "+266696687",   // ANONYMOUS
    "+7378742833",  // RESTRICTED
    "+2562533",     // BLOCKED
    "+8656696",     // UNKNOWN
    "+86282452253", // UNAVAILABLE
    "+7748283",     // PRIVATE
];

/// Characters that the name of a request may have.
const LONGEST_TOKEN: usize = 255;

pub(crate) fn account_of(request: &WebhookRequest) -> Option<String> {
    let form = Form::read(&request.body);
    form.get("AccountSid").ok()?.filter(|name| is_sid(name, "AC")).map(str::to_owned)
}

/// # Errors
///
/// `malformed` where a parameter that is read here is not what it should be.
pub(crate) fn parse(request: &WebhookRequest) -> Result<Webhook> {
    let form = Parameters(Form::read(&request.body));
    let token = request.header("i-twilio-idempotency-token");
    let token = token.filter(|token| (1..=LONGEST_TOKEN).contains(&token.len()));
    Ok(Webhook { token: token.map(str::to_owned), news: news(request, &form)? })
}

fn news(request: &WebhookRequest, form: &Parameters<'_>) -> Result<WebhookNews> {
    if let Some(status) = form.text("RecordingStatus")? {
        return recording(form, status);
    }
    let Some(status) = form.text("CallStatus")? else { return Ok(WebhookNews::Other) };
    let call = call(form, status)?;
    let inbound = form.text("Direction")? == Some("inbound");
    if !(is_voice(request) && inbound) {
        return Ok(WebhookNews::Call(call));
    }
    // A call to a SIP address or to a client has no number that anybody here has.
    let Some(to) = form.text("To")?.and_then(PhoneNumber::from_e164) else {
        return Ok(WebhookNews::Other);
    };
    let from = form.text("From")?.filter(|from| !WITHHELD.contains(from));
    Ok(WebhookNews::Incoming { call, from: from.and_then(PhoneNumber::from_e164), to })
}

/// Whether this is the address that Twilio asks what to do with a call; of calls that come in it tells at
/// the other one, too.
fn is_voice(request: &WebhookRequest) -> bool {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').ends_with("/voice")
}

fn call(form: &Parameters<'_>, status: &str) -> Result<CarrierCall> {
    let id = form.sid("CallSid", "CA")?;
    let status = words::call_status(status).ok_or_else(|| malformed("CallStatus"))?;
    let sequence = form.number("SequenceNumber")?;
    let at = match form.text("Timestamp")? {
        Some(text) => Some(words::time(text).ok_or_else(|| malformed("Timestamp"))?),
        None => None,
    };
    let mut progress = Progress::step(status, sequence, at);
    if status == CallStatus::Completed {
        // `Duration` is in minutes.
        progress.duration_seconds = form.number("CallDuration")?;
    }
    progress.answered_by = form.text("AnsweredBy")?.and_then(words::answered_by);
    if status == CallStatus::Failed {
        progress.failure = failure(form)?;
    }
    Ok(CarrierCall { id, progress })
}

/// Twilio's own number goes before that of the line.
fn failure(form: &Parameters<'_>) -> Result<Option<CallFailure>> {
    let (code, otherwise) =
        match (form.number::<u32>("ErrorCode")?, form.number::<u16>("SipResponseCode")?) {
            (Some(code), _) => (code.to_string(), format!("the carrier's error {code}")),
            (None, Some(code)) => (format!("sip_{code}"), format!("the line answered SIP {code}")),
            (None, None) => return Ok(None),
        };
    let message = form.text("ErrorMessage")?.map(words::sentence).filter(|said| !said.is_empty());
    Ok(Some(CallFailure { code, message: message.unwrap_or(otherwise) }))
}

fn recording(form: &Parameters<'_>, status: &str) -> Result<WebhookNews> {
    let status: RecordingStatus =
        words::recording_status(status).ok_or_else(|| malformed("RecordingStatus"))?;
    let recording = CarrierRecording {
        id: form.sid("RecordingSid", "RE")?,
        status,
        // -1 until it is known.
        duration_seconds: match form.text("RecordingDuration")? {
            Some("-1") | None => None,
            Some(_) => form.number("RecordingDuration")?,
        },
        channels: form.number("RecordingChannels")?.filter(|count| [1, 2].contains(count)),
    };
    Ok(WebhookNews::Recording { call: form.sid("CallSid", "CA")?, recording })
}

/// A form whose parameters are what they should be, or the request is malformed.
struct Parameters<'a>(Form<'a>);

impl Parameters<'_> {
    fn text(&self, name: &'static str) -> Result<Option<&str>> {
        self.0.get(name).map_err(|()| malformed(name))
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        let number = |text: &str| text.parse().map_err(|_| malformed(name));
        self.text(name)?.map(number).transpose()
    }

    fn sid(&self, name: &'static str, prefix: &str) -> Result<String> {
        let sid = self.text(name)?.filter(|sid| is_sid(sid, prefix));
        sid.map(str::to_owned).ok_or_else(|| malformed(name))
    }
}

fn malformed(name: &'static str) -> Error {
    Error::new(ErrorKind::Malformed, format!("`{name}` is not what the carrier writes there"))
}
