//! An account, a call, and a `Twilio` that repeats at once.

use std::time::Duration;

use bytes::Bytes;
use crm_core::PhoneNumber;
use crm_core::telephony::{
    CarrierAccount, CarrierSecrets, OutgoingCall, ScriptStep, SoughtCall, WebhookRequest,
};
use crm_twilio::{Twilio, TwilioOptions};

pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const CALL: &str = "CA0123456789abcdef0123456789abcdef";
pub(crate) const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "fedcba9876543210fedcba9876543210";
pub(crate) const URL: &str = "https://crm.example/webhooks/twilio?call=1";

pub(crate) fn account() -> CarrierAccount {
    let auth_tokens = vec![TOKEN.into()];
    CarrierAccount::new(ACCOUNT, CarrierSecrets { auth_tokens, api_key: None })
}

pub(crate) fn options(url: &str) -> TwilioOptions {
    TwilioOptions::default()
        .base_url(url)
        .retries(3, Duration::from_millis(1))
        .connect_timeout(Duration::from_secs(5))
        .request_timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(30))
}

pub(crate) fn twilio(url: &str) -> Twilio {
    Twilio::new(options(url)).unwrap()
}

/// One that gives up soon, for a peer that says nothing.
pub(crate) fn hasty(url: &str) -> Twilio {
    let soon = Duration::from_millis(500);
    Twilio::new(options(url).request_timeout(soon).idle_timeout(soon)).unwrap()
}

pub(crate) fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

/// A call with all that can be asked for.
pub(crate) fn outgoing() -> OutgoingCall {
    OutgoingCall {
        to: number("+14155550100"),
        from: number("+14155550199"),
        record: true,
        detect_machine: true,
        ring_for: Duration::from_millis(24_500),
        script: vec![
            ScriptStep::Say { text: "R&D <calls>".into(), language: Some("en-GB".into()) },
            ScriptStep::Pause(Duration::from_secs(2)),
            ScriptStep::Connect {
                to: number("+14155550111"),
                caller_id: Some(number("+14155550199")),
                record: false,
                callback: None,
            },
        ],
        callback: Some(URL.into()),
    }
}

pub(crate) fn sought() -> SoughtCall {
    SoughtCall {
        to: number("+14155550100"),
        from: number("+14155550199"),
        since: "2026-03-01T10:00:00Z".parse().unwrap(),
        until: "2026-03-01T10:01:00Z".parse().unwrap(),
    }
}

/// A call as the API writes it.
pub(crate) fn wire(sid: &str, status: &str, created: &str) -> String {
    format!(
        r#"{{"sid":"{sid}","status":"{status}","date_created":"{created}","direction":"outbound-api",
            "start_time":null,"end_time":"Sun, 01 Mar 2026 10:02:00 +0000","duration":"42",
            "price":"-0.0140","price_unit":"USD","answered_by":"machine_start","queue_time":"0"}}"#
    )
}

/// A webhook of a form, signed with `token`.
pub(crate) fn signed(token: &str, url: &str, form: &[u8]) -> WebhookRequest {
    let mut request = unsigned(url, form);
    let signature = crm_twilio::sign(&token.into(), url, form);
    request.headers.push(("x-twilio-signature".into(), signature));
    request
}

pub(crate) fn unsigned(url: &str, form: &[u8]) -> WebhookRequest {
    let kind = "application/x-www-form-urlencoded; charset=UTF-8";
    WebhookRequest {
        url: url.into(),
        headers: vec![("content-type".into(), kind.into())],
        body: Bytes::copy_from_slice(form),
    }
}
