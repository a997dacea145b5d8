//! The simulator's callbacks on the wire: a form, signed with HMAC-SHA256 over address and body.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;

use super::plan::{News, Plan};
use crate::calls::{CallFailure, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::phone::PhoneNumber;
use crate::telephony::port::{
    CarrierAccount, CarrierCall, CarrierRecording, ScriptStep, Webhook, WebhookNews, WebhookReply,
    WebhookRequest,
};

const SIGNATURE: &str = "x-simulator-signature";

/// The request that tells `news`, the notice at `place` of the call.
pub(super) fn write(plan: &Plan, place: usize, news: &News) -> WebhookRequest {
    let mut form = Form::default();
    form.add("account", Some(&plan.account));
    form.add("call", Some(&plan.id));
    form.add("token", Some(format!("{}-{place}", plan.id)));
    let url = match news {
        News::Incoming(progress) => {
            form.add("kind", Some("incoming"));
            form.add("from", plan.from.as_ref());
            form.add("to", Some(&plan.to));
            form.progress(progress);
            &plan.voice_url
        }
        News::Step(progress) => {
            form.add("kind", Some("call"));
            form.progress(progress);
            &plan.url
        }
        News::Recording(recording) => {
            form.add("kind", Some("recording"));
            form.add("recording", Some(&recording.id));
            form.add("status", Some(recording.status));
            form.add("duration", recording.duration_seconds);
            form.add("channels", recording.channels);
            &plan.recording_url
        }
    };
    let signature = hmac::sign(&key(plan.token.reveal()), &signed(url, form.0.as_bytes()));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    WebhookRequest {
        url: url.clone(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header(SIGNATURE, &BASE64.encode(signature)),
        ],
        body: Bytes::from(form.0),
    }
}

pub(super) fn verify(account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
    let signature = request.header(SIGNATURE).and_then(|text| BASE64.decode(text).ok());
    let message = signed(&request.url, &request.body);
    let good = signature.is_some_and(|signature| {
        let tokens = account.secrets.auth_tokens.iter();
        // All are tried, so that the time does not tell which one it was.
        tokens.fold(false, |good, token| {
            good | hmac::verify(&key(token.reveal()), &message, &signature).is_ok()
        })
    });
    if good && account_of(request).is_some_and(|name| name == account.name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Forbidden, "the request is not signed by the account's carrier"))
}

pub(super) fn account_of(request: &WebhookRequest) -> Option<String> {
    read(&request.body).ok()?.remove("account")
}

pub(super) fn parse(request: &WebhookRequest) -> Result<Webhook> {
    let form = read(&request.body)?;
    let call = need(&form, "call", Some)?;
    let news = match form.get("kind").map(String::as_str) {
        Some("incoming") => WebhookNews::Incoming {
            call: CarrierCall { id: call, progress: progress(&form)? },
            from: optional(&form, "from", |text| PhoneNumber::from_e164(&text))?,
            to: need(&form, "to", |text| PhoneNumber::from_e164(&text))?,
        },
        Some("call") => WebhookNews::Call(CarrierCall { id: call, progress: progress(&form)? }),
        Some("recording") => WebhookNews::Recording {
            call,
            recording: CarrierRecording {
                id: need(&form, "recording", Some)?,
                status: need(&form, "status", parsed)?,
                duration_seconds: optional(&form, "duration", parsed)?,
                channels: optional(&form, "channels", parsed)?,
            },
        },
        Some(_) | None => WebhookNews::Other,
    };
    Ok(Webhook { token: form.get("token").cloned(), news })
}

/// The script, a line for each step.
pub(super) fn write_script(script: &[ScriptStep]) -> WebhookReply {
    let mut body = String::new();
    for step in script {
        // Writing to a string cannot fail.
        let _ = match step {
            ScriptStep::Say { text, language } => {
                let mut form = Form::default();
                form.add("say", Some(text));
                form.add("language", language.as_ref());
                writeln!(body, "{}", form.0)
            }
            ScriptStep::Connect { to, caller_id, record, callback } => {
                let mut form = Form::default();
                form.add("connect", Some(to));
                form.add("caller_id", caller_id.as_ref());
                form.add("record", Some(record));
                form.add("callback", callback.as_ref());
                writeln!(body, "{}", form.0)
            }
            ScriptStep::Pause(length) => writeln!(body, "pause={}", length.as_secs()),
            ScriptStep::Reject => writeln!(body, "reject"),
        };
    }
    WebhookReply { content_type: Some("text/plain; charset=utf-8"), body }
}

fn key(token: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes())
}

fn signed(url: &str, body: &[u8]) -> Vec<u8> {
    [url.as_bytes(), body].concat()
}

/// A form as it is written.
#[derive(Default)]
struct Form(String);

impl Form {
    fn add(&mut self, name: &str, value: Option<impl ToString>) {
        let Some(value) = value else { return };
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.to_string().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*') {
                self.0.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(step) = progress.steps.first() {
            self.add("status", Some(step.status));
            self.add("sequence", step.sequence);
            self.add("at", step.at);
        }
        self.add("duration", progress.duration_seconds);
        self.add("answered_by", progress.answered_by);
        self.add("failure", progress.failure.as_ref().map(|failure| &failure.code));
        self.add("message", progress.failure.as_ref().map(|failure| &failure.message));
    }
}

type Read = BTreeMap<String, String>;

fn read(body: &[u8]) -> Result<Read> {
    let text = std::str::from_utf8(body).map_err(|error| malformed("body").with_source(error))?;
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| malformed("body"))?;
            let value = unescape(value).ok_or_else(|| malformed("body"))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn progress(form: &Read) -> Result<Progress> {
    let status = need(form, "status", parsed)?;
    let sequence = optional(form, "sequence", parsed)?;
    let mut progress = Progress::step(status, sequence, optional(form, "at", parsed)?);
    progress.duration_seconds = optional(form, "duration", parsed)?;
    progress.answered_by = optional(form, "answered_by", parsed)?;
    let message = form.get("message").cloned().unwrap_or_default();
    progress.failure = form.get("failure").map(|code| CallFailure { code: code.clone(), message });
    Ok(progress)
}

fn parsed<T: FromStr>(text: String) -> Option<T> {
    text.parse().ok()
}

fn optional<T>(form: &Read, name: &str, read: impl Fn(String) -> Option<T>) -> Result<Option<T>> {
    form.get(name).map(|text| read(text.clone()).ok_or_else(|| malformed(name))).transpose()
}

fn need<T>(form: &Read, name: &str, read: impl Fn(String) -> Option<T>) -> Result<T> {
    optional(form, name, read)?.ok_or_else(|| malformed(name))
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the callback's `{what}` cannot be read"))
}
