//! What webhooks say.

use crm_core::calls::{AnsweredBy, CallStatus, RecordingStatus};
use crm_core::telephony::{Telephony as _, Webhook, WebhookNews};
use crm_core::{Error, ErrorKind};

use crate::scene::{ACCOUNT, CALL, RECORDING, twilio, unsigned};

const STATUS: &str = "https://crm.example/webhooks/twilio?call=1";
const VOICE: &str = "https://crm.example/webhooks/twilio/voice";

fn parse(url: &str, pairs: &[(&str, &str)]) -> Result<Webhook, Error> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    twilio("http://127.0.0.1:1").parse(&unsigned(url, form.as_bytes()))
}

fn news(url: &str, pairs: &[(&str, &str)]) -> WebhookNews {
    parse(url, pairs).unwrap().news
}

fn status<'a>(status: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", status),
        ("From", "+14155550199"),
        ("To", "+14155550100"),
        ("Direction", "outbound-api"),
        ("ToCity", "Zürich"),
        ("Brand_New", ""),
    ];
    pairs.extend_from_slice(more);
    pairs
}

#[test]
fn a_status_has_its_step() {
    let more = [
        ("SequenceNumber", "2"),
        ("Timestamp", "Sun, 01 Mar 2026 10:00:30 +0000"),
        ("AnsweredBy", "machine_end_beep"),
    ];
    let WebhookNews::Call(call) = news(STATUS, &status("in-progress", &more)) else { panic!() };
    assert_eq!(call.id, CALL);
    let step = call.progress.steps[0];
    assert_eq!((step.status, step.sequence), (CallStatus::InProgress, Some(2)));
    assert_eq!(step.at.unwrap().to_string(), "2026-03-01T10:00:30Z");
    assert_eq!(call.progress.answered_at, step.at);
    assert_eq!(call.progress.answered_by, Some(AnsweredBy::Machine));

    for (word, status_) in [
        ("queued", CallStatus::Queued),
        ("initiated", CallStatus::Initiated),
        ("ringing", CallStatus::Ringing),
        ("busy", CallStatus::Busy),
        ("no-answer", CallStatus::NoAnswer),
        ("canceled", CallStatus::Canceled),
    ] {
        let WebhookNews::Call(call) = news(STATUS, &status(word, &[])) else { panic!("{word}") };
        assert_eq!(call.progress.status(), status_);
    }
}

#[test]
fn an_end_has_its_length_in_seconds() {
    // A recording of the call is told of here, too; what it is comes by itself.
    let more = [("Duration", "1"), ("CallDuration", "42"), ("RecordingSid", RECORDING)];
    let WebhookNews::Call(call) = news(STATUS, &status("completed", &more)) else { panic!() };
    assert_eq!(call.progress.duration_seconds, Some(42));
    assert_eq!(call.progress.failure, None);
}

#[test]
fn a_failure_says_why() {
    let failure = |more: &[(&str, &str)]| {
        let WebhookNews::Call(call) = news(STATUS, &status("failed", more)) else { panic!() };
        call.progress.failure.map(|failure| (failure.code, failure.message))
    };
    assert_eq!(failure(&[]), None);
    let (code, _) = failure(&[("SipResponseCode", "404")]).unwrap();
    assert_eq!(code, "sip_404");
    let told =
        [("SipResponseCode", "404"), ("ErrorCode", "13224"), ("ErrorMessage", "Invalid\nnumber")];
    assert_eq!(failure(&told), Some(("13224".into(), "Invalid number".into())));
}

#[test]
fn a_recording_has_its_call() {
    let pairs = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("RecordingSid", RECORDING),
        ("RecordingStatus", "completed"),
        ("RecordingDuration", "12"),
        ("RecordingChannels", "2"),
        ("RecordingUrl", "https://evil.example/"),
    ];
    let WebhookNews::Recording { call, recording } = news(STATUS, &pairs) else { panic!() };
    assert_eq!((call.as_str(), recording.id.as_str()), (CALL, RECORDING));
    assert_eq!(recording.status, RecordingStatus::Completed);
    assert_eq!((recording.duration_seconds, recording.channels), (Some(12), Some(2)));
    let absent = [
        ("CallSid", CALL),
        ("RecordingSid", RECORDING),
        ("RecordingStatus", "absent"),
        ("RecordingDuration", "-1"),
        ("ErrorCode", "16101"),
    ];
    let WebhookNews::Recording { recording, .. } = news(STATUS, &absent) else { panic!() };
    assert_eq!((recording.status, recording.duration_seconds), (RecordingStatus::Absent, None));
}

fn incoming<'a>(from: &'a str, to: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![("CallSid", CALL), ("CallStatus", "ringing"), ("Direction", "inbound")];
    pairs.extend([("From", from), ("To", to)]);
    pairs
}

#[test]
fn an_incoming_call_is_asked_about_at_one_address_and_told_of_at_the_other() {
    let pairs = incoming("+14155550100", "+14155550199");
    let WebhookNews::Incoming { call, from, to } = news(VOICE, &pairs) else { panic!() };
    assert_eq!((call.id.as_str(), call.progress.status()), (CALL, CallStatus::Ringing));
    assert_eq!(from.unwrap().as_str(), "+14155550100");
    assert_eq!(to.as_str(), "+14155550199");
    for url in [format!("{VOICE}/"), format!("{VOICE}?a=b")] {
        assert!(matches!(news(&url, &pairs), WebhookNews::Incoming { .. }), "{url}");
    }
    for url in [STATUS.to_owned(), format!("{STATUS}&x=/voice")] {
        assert!(matches!(news(&url, &pairs), WebhookNews::Call(_)), "{url}");
    }
    assert!(matches!(news(VOICE, &status("ringing", &[])), WebhookNews::Call(_)));
}

#[test]
fn a_withheld_number_is_none() {
    for from in ["anonymous", "Restricted", "", "+266696687", "+7378742833", "sip:a@b", "client:x"]
    {
        let news = news(VOICE, &incoming(from, "+14155550199"));
        let WebhookNews::Incoming { from, .. } = news else { panic!("{from}") };
        assert_eq!(from, None);
    }
    assert_eq!(news(VOICE, &incoming("+14155550100", "sip:a@b")), WebhookNews::Other);
}

#[test]
fn what_is_not_as_twilio_writes_it_is_malformed() {
    for (name, value) in [
        ("CallSid", "CA1"),
        ("CallSid", ""),
        ("CallStatus", "dreaming"),
        ("SequenceNumber", "-1"),
        ("Timestamp", "yesterday"),
        ("CallDuration", "1.5"),
    ] {
        let mut pairs = status("completed", &[]);
        pairs.retain(|(own, _)| *own != name);
        pairs.push((name, value));
        assert_eq!(parse(STATUS, &pairs).unwrap_err().kind(), ErrorKind::Malformed, "{name}");
    }
    // Said twice and otherwise.
    let twice = status("completed", &[("CallStatus", "busy")]);
    assert_eq!(parse(STATUS, &twice).unwrap_err().kind(), ErrorKind::Malformed);
    let recording = [("CallSid", CALL), ("RecordingSid", CALL), ("RecordingStatus", "completed")];
    assert_eq!(parse(STATUS, &recording).unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(news(STATUS, &[]), WebhookNews::Other);
    assert_eq!(news(STATUS, &[("MessageSid", "SM1")]), WebhookNews::Other);
}

#[test]
fn a_request_has_its_account_and_its_name() {
    let twilio = twilio("http://127.0.0.1:1");
    let mut request = unsigned(STATUS, format!("AccountSid={ACCOUNT}").as_bytes());
    assert_eq!(twilio.account_of(&request).as_deref(), Some(ACCOUNT));
    assert_eq!(twilio.parse(&request).unwrap().token, None);
    request.headers.push(("i-twilio-idempotency-token".into(), "abc".into()));
    assert_eq!(twilio.parse(&request).unwrap().token.as_deref(), Some("abc"));
    assert_eq!(twilio.account_of(&unsigned(STATUS, b"AccountSid=AC1")), None);
    assert_eq!(twilio.account_of(&unsigned(STATUS, b"")), None);
}
