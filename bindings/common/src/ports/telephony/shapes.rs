//! How calls, recordings and requests are written for a host, and read from one.

use bytes::Bytes;
use crm_core::calls::{
    AnsweredBy, CallFailure, CallStatus, CallStep, Price, Progress, RecordingStatus,
};
use crm_core::telephony::{
    CarrierAccount, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep, SoughtCall, Webhook,
    WebhookNews, WebhookRequest,
};
use crm_core::{PhoneNumber, Result, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ports::answer::{Answer, Fields};
use crate::ports::value::{HostValue, object};

/// A call as the carrier has it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a call")]
#[schemars(rename = "CarrierCall")]
pub(in crate::ports) struct CallShape {
    /// The carrier's name of the call.
    id: String,
    /// How far it is.
    status: CallStatus,
    /// The carrier's number of this step, from 0, where it counts them.
    #[serde(default)]
    sequence: Option<u32>,
    /// Since when it is that far, where the carrier says so.
    #[serde(default)]
    at: Option<Timestamp>,
    /// Earlier steps, where the carrier tells them.
    #[serde(default)]
    steps: Vec<CallStep>,
    /// When it was answered.
    #[serde(default)]
    answered_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default)]
    ended_at: Option<Timestamp>,
    /// How long was talked.
    #[serde(default)]
    duration_seconds: Option<u32>,
    /// Who or what answered, where the carrier listened for it.
    #[serde(default)]
    answered_by: Option<AnsweredBy>,
    /// What it costs.
    #[serde(default)]
    price: Option<Price>,
    /// Why it failed.
    #[serde(default)]
    failure: Option<CallFailure>,
}

impl From<CallShape> for CarrierCall {
    fn from(call: CallShape) -> Self {
        let told = Progress {
            steps: call.steps,
            answered_at: call.answered_at,
            ended_at: call.ended_at,
            duration_seconds: call.duration_seconds,
            answered_by: call.answered_by,
            price: call.price,
            failure: call.failure,
        };
        let now = Progress::step(call.status, call.sequence, call.at);
        CarrierCall { id: call.id, progress: told.join(now) }
    }
}

/// A recording as the carrier has it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a recording")]
#[schemars(rename = "CarrierRecording")]
pub(in crate::ports) struct RecordingShape {
    /// The carrier's name of the recording.
    id: String,
    /// How far it is.
    status: RecordingStatus,
    /// How long it is.
    #[serde(default)]
    duration_seconds: Option<u32>,
    /// 1, or 2 where each side has its own.
    #[serde(default)]
    channels: Option<u8>,
}

impl From<RecordingShape> for CarrierRecording {
    fn from(recording: RecordingShape) -> Self {
        let RecordingShape { id, status, duration_seconds, channels } = recording;
        CarrierRecording { id, status, duration_seconds, channels }
    }
}

/// The audio of a recording, beside its `chunks`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "audio")]
#[schemars(rename = "CarrierAudio")]
pub(in crate::ports) struct AudioShape {
    /// What it is, e.g. `audio/x-wav`.
    pub(super) content_type: String,
    /// How many bytes there are, where the carrier says so.
    #[serde(default)]
    pub(super) bytes: Option<u64>,
}

/// What a carrier tells.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what the carrier tells")]
#[schemars(rename = "CarrierNews")]
pub(in crate::ports) struct WebhookShape {
    /// The carrier's name of this request, the same when it is repeated.
    #[serde(default)]
    token: Option<String>,
    /// What it is about.
    kind: NewsKind,
    /// The call, of `incoming` and `call`.
    #[serde(default)]
    call: Option<CallShape>,
    /// The calling number of `incoming`, where it is not withheld, in E.164.
    #[serde(default)]
    from: Option<PhoneNumber>,
    /// The called number of `incoming`, in E.164.
    #[serde(default)]
    to: Option<PhoneNumber>,
    /// The carrier's name of the call, of `recording`.
    #[serde(default)]
    call_id: Option<String>,
    /// The recording, of `recording`.
    #[serde(default)]
    recording: Option<RecordingShape>,
}

/// What a carrier tells, by kind.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::ports) enum NewsKind {
    /// A call comes in, and the carrier asks what to do.
    Incoming,
    /// A call has come further.
    Call,
    /// A recording has come further.
    Recording,
    /// Something that is of no use here.
    Other,
}

/// The script in the carrier's words.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an answer for the carrier")]
#[schemars(rename = "CarrierReply")]
pub(in crate::ports) struct ReplyShape {
    /// What the body is, e.g. `text/xml`.
    #[serde(default)]
    pub(super) content_type: Option<String>,
    /// The body.
    #[serde(default)]
    pub(super) body: String,
}

/// A request of the carrier's, beside its `body`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a request of the carrier's")]
#[schemars(rename = "CarrierRequest")]
pub(in crate::ports) struct RequestShape {
    /// The address that the carrier called, with its query.
    url: String,
    /// The headers as pairs.
    #[serde(default)]
    headers: Vec<(String, String)>,
}

pub(super) fn call_of(answer: Answer) -> Result<CarrierCall> {
    answer.read::<CallShape>().map(CarrierCall::from)
}

pub(super) fn webhook_of(answer: Answer) -> Result<Webhook> {
    let asked = answer.asked;
    let shape: WebhookShape = answer.read()?;
    let missing = |field| asked.wrong(field, "it is missing for this kind of news");
    let call = shape.call.map(CarrierCall::from).ok_or_else(|| missing("call"));
    let news = match shape.kind {
        NewsKind::Incoming => WebhookNews::Incoming {
            call: call?,
            from: shape.from,
            to: shape.to.ok_or_else(|| missing("to"))?,
        },
        NewsKind::Call => WebhookNews::Call(call?),
        NewsKind::Recording => WebhookNews::Recording {
            call: shape.call_id.ok_or_else(|| missing("call_id"))?,
            recording: shape.recording.ok_or_else(|| missing("recording"))?.into(),
        },
        NewsKind::Other => WebhookNews::Other,
    };
    Ok(Webhook { token: shape.token, news })
}

pub(super) fn request_of(mut fields: Fields) -> Result<WebhookRequest> {
    let body = fields.bytes("body")?;
    let RequestShape { url, headers } = fields.rest()?;
    let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    Ok(WebhookRequest { url, headers: headers.collect(), body })
}

pub(super) fn account(account: &CarrierAccount) -> HostValue {
    let secrets = &account.secrets;
    let tokens: Vec<_> = secrets.auth_tokens.iter().map(|token| token.reveal()).collect();
    let key = secrets.api_key.as_ref().map(|key| {
        object([("id", key.id.as_str().into()), ("secret", key.secret.reveal().into())])
    });
    object([
        ("name", account.name.as_str().into()),
        ("secrets", object([("auth_tokens", tokens.into()), ("api_key", key.into())])),
        ("options", HostValue::Map(account.options.clone())),
    ])
}

pub(super) fn outgoing(call: &OutgoingCall) -> HostValue {
    object([
        ("to", number(&call.to)),
        ("from", number(&call.from)),
        ("record", call.record.into()),
        ("detect_machine", call.detect_machine.into()),
        ("ring_for_seconds", seconds(call.ring_for)),
        ("script", script(&call.script)),
        ("callback", call.callback.clone().into()),
    ])
}

pub(super) fn sought(sought: &SoughtCall) -> HostValue {
    object([
        ("to", number(&sought.to)),
        ("from", number(&sought.from)),
        ("since", sought.since.into()),
        ("until", sought.until.into()),
    ])
}

pub(super) fn script(script: &[ScriptStep]) -> HostValue {
    HostValue::List(script.iter().map(step).collect())
}

fn step(step: &ScriptStep) -> HostValue {
    match step {
        ScriptStep::Say { text, language } => object([
            ("kind", "say".into()),
            ("text", text.as_str().into()),
            ("language", language.clone().into()),
        ]),
        ScriptStep::Connect { to, caller_id, record, callback } => object([
            ("kind", "connect".into()),
            ("to", number(to)),
            ("caller_id", caller_id.as_ref().map(number).into()),
            ("record", (*record).into()),
            ("callback", callback.clone().into()),
        ]),
        ScriptStep::Pause(time) => object([("kind", "pause".into()), ("seconds", seconds(*time))]),
        ScriptStep::Reject => object([("kind", "reject".into())]),
    }
}

pub(super) fn request(request: &WebhookRequest) -> HostValue {
    let headers = request.headers.iter();
    let headers: Vec<_> =
        headers.map(|(name, value)| HostValue::from(vec![name.as_str(), value.as_str()])).collect();
    object([
        ("url", request.url.as_str().into()),
        ("headers", headers.into()),
        ("body", Bytes::clone(&request.body).into()),
    ])
}

fn number(number: &PhoneNumber) -> HostValue {
    number.as_str().into()
}

fn seconds(time: std::time::Duration) -> HostValue {
    HostValue::Integer(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
