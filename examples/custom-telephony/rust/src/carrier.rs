//! The switchboard as a carrier of the CRM's calls: its words become the CRM's.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use crm_core::calls::{CallStatus, Progress, RecordingStatus};
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Telephony, Webhook, WebhookNews, WebhookReply, WebhookRequest,
};
use crm_core::{Error, ErrorKind, FieldError, Result, Timestamp};
use futures::stream;
use serde::{Deserialize, Serialize};

use crate::switchboard::{Dial, Event, Line, Report, Switchboard};

const SIGNATURE: &str = "x-switchboard-signature";
/// Where a line is reported that nobody wants to be told of.
const NOWHERE: &str = "switchboard:report";

/// Calls over a [`Switchboard`].
pub struct Carrier(pub Arc<Switchboard>);

/// A report on its way.
#[derive(Serialize, Deserialize)]
struct Body {
    account: String,
    call: String,
    place: u32,
    event: Event,
    at: Timestamp,
    talked_seconds: Option<u32>,
}

impl Carrier {
    /// The account's line of this name, if there is one.
    fn line(&self, account: &CarrierAccount, call: &str) -> Result<Line> {
        let mut lines = self.0.lines_of(&account.name).into_iter();
        let line = lines.find(|line| line.number.to_string() == call);
        line.ok_or_else(|| Error::not_found("call"))
    }

    fn call(&self, line: &Line) -> CarrierCall {
        let now = self.0.now();
        let steps = line.events(now).into_iter().zip(0..);
        let steps = steps.map(|((event, at), place)| step(event, place, at));
        let mut progress = steps.fold(Progress::default(), Progress::join);
        progress.duration_seconds = talked_seconds(line, now);
        CarrierCall { id: line.number.to_string(), progress }
    }
}

fn step(event: Event, place: u32, at: Timestamp) -> Progress {
    let status = match event {
        Event::Dialled => CallStatus::Initiated,
        Event::Ringing => CallStatus::Ringing,
        Event::Answered => CallStatus::InProgress,
        Event::Ended => CallStatus::Completed,
        Event::GivenUp => CallStatus::Canceled,
    };
    Progress::step(status, Some(place), Some(at))
}

fn talked_seconds(line: &Line, now: Timestamp) -> Option<u32> {
    u32::try_from(line.talked(now)?.as_secs()).ok()
}

fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, password.as_bytes())
}

/// What a signature is of: neither the address nor the body can be altered.
fn signed(url: &str, body: &[u8]) -> Vec<u8> {
    [url.as_bytes(), b"\n", body].concat()
}

/// The report as the switchboard would send it, if it could reach us.
fn request(report: Report) -> WebhookRequest {
    let Report { line, place, event, at } = report;
    let body = Body {
        call: line.number.to_string(),
        place,
        event,
        at,
        talked_seconds: talked_seconds(&line, at),
        account: line.dial.owner,
    };
    // Text, numbers and a time: there is nothing that JSON cannot say.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let signature = hmac::sign(&key(&line.dial.password), &signed(&line.dial.report_to, &body));
    WebhookRequest {
        headers: vec![(SIGNATURE.to_owned(), BASE64.encode(signature))],
        url: line.dial.report_to,
        body: Bytes::from(body),
    }
}

fn read(request: &WebhookRequest) -> Result<Body> {
    serde_json::from_slice(&request.body)
        .map_err(|error| Error::new(ErrorKind::Malformed, format!("no report: {error}")))
}

#[async_trait]
impl Telephony for Carrier {
    fn provider(&self) -> &'static str {
        "switchboard"
    }

    fn check(&self, account: &CarrierAccount) -> Result<()> {
        let mut fields = Vec::new();
        if account.name.is_empty() {
            fields.push(FieldError::new("name", "required", "an account is named as its owner is"));
        }
        if account.secrets.auth_tokens.is_empty() {
            let message = "the owner's password is needed";
            fields.push(FieldError::new("secrets.auth_tokens", "required", message));
        }
        if fields.is_empty() { Ok(()) } else { Err(Error::invalid(fields)) }
    }

    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        self.check(account)?;
        let password = account.secrets.auth_tokens.first();
        let line = self.0.dial(Dial {
            owner: account.name.clone(),
            password: password.map(|token| token.reveal().to_owned()).unwrap_or_default(),
            caller: call.from.to_string(),
            called: call.to.to_string(),
            taped: call.record,
            report_to: call.callback.clone().unwrap_or_else(|| NOWHERE.to_owned()),
        });
        Ok(Started::Placed(self.call(&line)))
    }

    async fn find(
        &self,
        account: &CarrierAccount,
        sought: &SoughtCall,
    ) -> Result<Vec<CarrierCall>> {
        let lines = self.0.lines_of(&account.name).into_iter().filter(|line| {
            (sought.since..=sought.until).contains(&line.dialled_at)
                && line.dial.caller == sought.from.as_str()
                && line.dial.called == sought.to.as_str()
        });
        Ok(lines.map(|line| self.call(&line)).collect())
    }

    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        Ok(self.call(&self.line(account, call)?))
    }

    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        self.0.hang_up(self.line(account, call)?.number);
        self.fetch(account, call).await
    }

    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>> {
        let line = self.line(account, call)?;
        let talked = talked_seconds(&line, self.0.now()).filter(|_| line.dial.taped);
        let recording = talked.map(|seconds| CarrierRecording {
            id: call.to_owned(),
            status: RecordingStatus::Completed,
            duration_seconds: Some(seconds),
            channels: Some(1),
        });
        Ok(recording.into_iter().collect())
    }

    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio> {
        let line = self.line(account, recording)?;
        if self.recordings(account, recording).await?.is_empty() {
            return Err(Error::not_found("recording"));
        }
        let tape = Bytes::from(self.0.tape(&line));
        Ok(CarrierAudio {
            content_type: "audio/basic".to_owned(),
            bytes: u64::try_from(tape.len()).ok(),
            stream: Box::pin(stream::iter([Ok(tape)])),
        })
    }

    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()> {
        if let Ok(line) = self.line(account, recording) {
            self.0.erase_tape(line.number);
        }
        Ok(())
    }

    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        read(request).ok().map(|body| body.account)
    }

    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        let signature = request.header(SIGNATURE).and_then(|text| BASE64.decode(text).ok());
        let message = signed(&request.url, &request.body);
        let good = signature.is_some_and(|signature| {
            let mut tokens = account.secrets.auth_tokens.iter();
            tokens.any(|token| hmac::verify(&key(token.reveal()), &message, &signature).is_ok())
        });
        let refused = || Error::new(ErrorKind::Forbidden, "the switchboard has not signed this");
        if good { Ok(()) } else { Err(refused()) }
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        let body = read(request)?;
        let mut progress = step(body.event, body.place, body.at);
        progress.duration_seconds = body.talked_seconds;
        let token = Some(format!("{}-{}", body.call, body.place));
        Ok(Webhook { token, news: WebhookNews::Call(CarrierCall { id: body.call, progress }) })
    }

    /// The switchboard takes no calls from outside.
    fn write_script(&self, _: &[ScriptStep]) -> WebhookReply {
        WebhookReply::RECEIVED
    }

    fn take_callbacks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        self.0.reports(now).into_iter().map(request).collect()
    }
}
