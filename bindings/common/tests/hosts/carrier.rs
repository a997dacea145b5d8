//! A carrier of calls.

use std::time::Duration;

use async_trait::async_trait;
use crm_conformance::TestClock;
use crm_core::calls::Progress;
use crm_core::identity::Secret;
use crm_core::ports::Clock as _;
use crm_core::telephony::{
    CarrierAccount, CarrierApiKey, CarrierCall, CarrierRecording, CarrierSecrets, OutgoingCall,
    ScriptStep, Simulator, SoughtCall, Started, Telephony as _, Webhook, WebhookNews,
    WebhookRequest,
};
use crm_core::{PhoneNumber, Timestamp};
use crm_embed::ports::{Arguments, Host, HostError, HostValue, METHODS};
use futures::StreamExt as _;
use serde_json::json;

use super::{Given, fields, no_method, object, of_json, raise};

/// The simulator.
pub struct HostedCarrier {
    pub simulator: Simulator,
    pub clock: TestClock,
}

impl HostedCarrier {
    pub fn new(make: impl Fn(Simulator) -> Simulator) -> Self {
        let clock = TestClock::default();
        HostedCarrier { simulator: make(Simulator::new(clock.clone())), clock }
    }
}

#[async_trait]
impl Host for HostedCarrier {
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError> {
        let mut given = Given::new(arguments);
        if method == "pass_time" {
            let seconds = given.integer("seconds").unwrap();
            self.clock.advance_micros(i64::try_from(seconds).unwrap() * 1_000_000);
            return Ok(HostValue::Null);
        }
        let account = account(&mut given);
        let carrier = &self.simulator;
        let answer = match method {
            "start" => {
                let call = outgoing(given.fields("call"));
                match carrier.start(&account, &call).await.map_err(raise)? {
                    Started::Placed(call) => write_call(&call),
                    Started::Unknown(error) => return Err(raise(error)),
                }
            }
            "find" => {
                let mut sought = given.fields("sought");
                let [to, from] = ["to", "from"].map(|name| number(&sought.text(name)));
                let [since, until] = ["since", "until"].map(|name| time(sought.take(name)));
                sought.done();
                let sought = SoughtCall { to, from, since, until };
                let found = carrier.find(&account, &sought).await.map_err(raise)?;
                HostValue::List(found.iter().map(write_call).collect())
            }
            "fetch" => {
                write_call(&carrier.fetch(&account, &given.text("call_id")).await.map_err(raise)?)
            }
            "hang_up" => {
                write_call(&carrier.hang_up(&account, &given.text("call_id")).await.map_err(raise)?)
            }
            "recordings" => {
                let call = given.text("call_id");
                let found = carrier.recordings(&account, &call).await.map_err(raise)?;
                HostValue::List(found.iter().map(write_recording).collect())
            }
            "audio" => {
                let recording = given.text("recording_id");
                let audio = carrier.audio(&account, &recording).await.map_err(raise)?;
                let chunks = audio.stream.map(|chunk| chunk.map(HostValue::Bytes).map_err(raise));
                object([
                    ("content_type", audio.content_type.into()),
                    ("bytes", audio.bytes.map(|bytes| u32::try_from(bytes).unwrap()).into()),
                    ("chunks", HostValue::Stream(chunks.boxed())),
                ])
            }
            "delete_recording" => {
                let recording = given.text("recording_id");
                carrier.delete_recording(&account, &recording).await.map_err(raise)?;
                HostValue::Null
            }
            other => return Err(no_method(other)),
        };
        given.done();
        Ok(answer)
    }

    fn call_now(
        &self,
        method: &'static str,
        arguments: Arguments,
        _: Duration,
    ) -> Result<HostValue, HostError> {
        let mut given = Given::new(arguments);
        let carrier = &self.simulator;
        let answer = match method {
            "now" => self.clock.now().into(),
            "check" => {
                carrier.check(&account(&mut given)).map(|()| HostValue::Null).map_err(raise)?
            }
            "account_of" => carrier.account_of(&request(&mut given)).into(),
            "verify" => {
                let account = account(&mut given);
                carrier.verify(&account, &request(&mut given)).map_err(raise)?;
                true.into()
            }
            "parse" => write_news(carrier.parse(&request(&mut given)).map_err(raise)?),
            "write_script" => {
                let script: Vec<_> = given.list("script").into_iter().map(step).collect();
                let reply = carrier.write_script(&script);
                of_json(json!({ "content_type": reply.content_type, "body": reply.body }))
            }
            "take_callbacks" => {
                let requests = carrier.take_callbacks(time(given.take("now")));
                HostValue::List(requests.into_iter().map(write_request).collect())
            }
            other => return Err(no_method(other)),
        };
        given.done();
        Ok(answer)
    }

    fn has(&self, method: &str) -> bool {
        let own = METHODS.iter().filter(|own| own.port == "telephony");
        own.map(|own| own.name).chain(["now", "pass_time"]).any(|own| own == method)
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

fn time(value: HostValue) -> Timestamp {
    match value {
        HostValue::Time(time) => time,
        other => panic!("{other:?} is no time"),
    }
}

fn account(given: &mut Given) -> CarrierAccount {
    let mut account = given.fields("account");
    let mut secrets = account.fields("secrets");
    let tokens = secrets.list("auth_tokens").into_iter().map(|token| match token {
        HostValue::Text(text) => Secret::new(text),
        other => panic!("{other:?} is no token"),
    });
    let auth_tokens = tokens.collect();
    let api_key = match secrets.take("api_key") {
        HostValue::Null => None,
        key => {
            let mut key = fields(key);
            Some(CarrierApiKey { id: key.text("id"), secret: key.text("secret").into() })
        }
    };
    secrets.done();
    let HostValue::Map(options) = account.take("options") else { panic!("no options") };
    let name = account.text("name");
    account.done();
    let secrets = CarrierSecrets { auth_tokens, api_key };
    options.into_iter().fold(CarrierAccount::new(name, secrets), |account, (name, value)| {
        account.option(name, value)
    })
}

fn outgoing(mut call: Given) -> OutgoingCall {
    let outgoing = OutgoingCall {
        to: number(&call.text("to")),
        from: number(&call.text("from")),
        record: call.truth("record"),
        detect_machine: call.truth("detect_machine"),
        ring_for: Duration::from_secs(call.integer("ring_for_seconds").unwrap()),
        script: call.list("script").into_iter().map(step).collect(),
        callback: call.maybe_text("callback"),
    };
    call.done();
    outgoing
}

fn step(step: HostValue) -> ScriptStep {
    let mut given = fields(step);
    let step = match &*given.text("kind") {
        "say" => {
            ScriptStep::Say { text: given.text("text"), language: given.maybe_text("language") }
        }
        "connect" => ScriptStep::Connect {
            to: number(&given.text("to")),
            caller_id: given.maybe_text("caller_id").as_deref().map(number),
            record: given.truth("record"),
            callback: given.maybe_text("callback"),
        },
        "pause" => ScriptStep::Pause(Duration::from_secs(given.integer("seconds").unwrap())),
        "reject" => ScriptStep::Reject,
        other => panic!("`{other}` is no step"),
    };
    given.done();
    step
}

fn request(given: &mut Given) -> WebhookRequest {
    let mut request = given.fields("request");
    let headers = request.list("headers").into_iter().map(|pair| {
        let HostValue::List(pair) = pair else { panic!("no pair") };
        let pair: Vec<_> = pair
            .into_iter()
            .map(|text| match text {
                HostValue::Text(text) => text,
                other => panic!("{other:?} in a header"),
            })
            .collect();
        let [name, value] = pair.try_into().unwrap();
        (name, value)
    });
    let headers = headers.collect();
    let HostValue::Bytes(body) = request.take("body") else { panic!("no bytes") };
    let url = request.text("url");
    request.done();
    WebhookRequest { url, headers, body }
}

fn write_request(request: WebhookRequest) -> HostValue {
    let headers = of_json(json!(request.headers));
    object([("url", request.url.into()), ("headers", headers), ("body", request.body.into())])
}

fn write_call(call: &CarrierCall) -> HostValue {
    let progress: &Progress = &call.progress;
    let last = progress.steps.last();
    let mut json = json!({
        "id": call.id,
        "status": progress.status(),
        "sequence": last.map(|step| step.sequence),
        "steps": progress.steps,
        "duration_seconds": progress.duration_seconds,
        "answered_by": progress.answered_by,
        "price": progress.price,
        "failure": progress.failure,
    });
    // Both ways in which a time can be told.
    json["at"] = json!(last.map(|step| step.at));
    let HostValue::Object(mut fields) = of_json(json) else { unreachable!() };
    fields.insert("answered_at".to_owned(), progress.answered_at.into());
    fields.insert("ended_at".to_owned(), progress.ended_at.into());
    HostValue::Object(fields)
}

fn write_recording(recording: &CarrierRecording) -> HostValue {
    of_json(json!({
        "id": recording.id,
        "status": recording.status,
        "duration_seconds": recording.duration_seconds,
        "channels": recording.channels,
    }))
}

fn write_news(webhook: Webhook) -> HostValue {
    let token = ("token", webhook.token.into());
    match webhook.news {
        WebhookNews::Incoming { call, from, to } => object([
            token,
            ("kind", "incoming".into()),
            ("call", write_call(&call)),
            ("from", from.as_ref().map(PhoneNumber::as_str).into()),
            ("to", to.as_str().into()),
        ]),
        WebhookNews::Call(call) => {
            object([token, ("kind", "call".into()), ("call", write_call(&call))])
        }
        WebhookNews::Recording { call, recording } => object([
            token,
            ("kind", "recording".into()),
            ("call_id", call.into()),
            ("recording", write_recording(&recording)),
        ]),
        WebhookNews::Other => object([token, ("kind", "other".into())]),
    }
}
