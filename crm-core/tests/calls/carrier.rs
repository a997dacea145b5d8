//! A carrier that does as it is told, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use crm_core::calls::{Progress, RecordingStatus};
use crm_core::ports::Telephony;
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Webhook, WebhookNews, WebhookReply, WebhookRequest,
};
use crm_core::{Error, ErrorKind, PhoneNumber, Result, Timestamp};
use futures::future::BoxFuture;
use futures::{FutureExt as _, stream};
use serde_json::{Value, json};

type Answer = Box<dyn FnOnce(OutgoingCall) -> BoxFuture<'static, Result<Started>> + Send>;

/// Clones are the same carrier.
#[derive(Clone, Default)]
pub(crate) struct Carrier(Arc<Mutex<Desk>>);

/// What the carrier has, and what it was asked.
#[derive(Default)]
pub(crate) struct Desk {
    /// What it says to the next requests for calls; then each is placed, as `CA1`, `CA2` and so on.
    answers: VecDeque<Answer>,
    pub(crate) started: Vec<OutgoingCall>,
    /// The calls that it has.
    pub(crate) calls: BTreeMap<String, Progress>,
    /// What it fails with when it is asked for calls, or to look at an account.
    pub(crate) fails_with: Option<ErrorKind>,
    pub(crate) fetched: usize,
    /// Those that a search finds.
    pub(crate) listed: Vec<CarrierCall>,
    pub(crate) sought: Vec<SoughtCall>,
    pub(crate) hung_up: Vec<String>,
    pub(crate) recordings: Vec<CarrierRecording>,
    /// What it says to the next requests for audio; then there is none.
    pub(crate) audio: VecDeque<Audio>,
    pub(crate) audio_asked: usize,
    pub(crate) deleted: Vec<String>,
}

impl Desk {
    fn in_order(&self) -> Result<()> {
        let broken = |kind| Err(Error::new(kind, "the carrier is out of order"));
        self.fails_with.map_or(Ok(()), broken)
    }
}

/// What comes when audio is asked for.
pub(crate) enum Audio {
    NotThere,
    Whole(&'static [u8]),
    /// It says that there is more than it gives.
    CutOff(&'static [u8]),
    /// The connection breaks after this.
    Breaks(&'static [u8]),
}

impl Carrier {
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap()
    }

    /// Answers the next request for a call that has no answer yet.
    pub(crate) fn answer<F>(&self, answer: impl FnOnce(OutgoingCall) -> F + Send + 'static)
    where
        F: Future<Output = Result<Started>> + Send + 'static,
    {
        self.desk().answers.push_back(Box::new(move |call| answer(call).boxed()));
    }
}

/// The call as the carrier has it.
pub(crate) fn carrier_call(id: &str, progress: Progress) -> CarrierCall {
    CarrierCall { id: id.to_owned(), progress }
}

/// A request as the carrier sends it for the account `AC1`, with the word of the account.
pub(crate) fn request(url: &str, token: Option<&str>, body: Value) -> WebhookRequest {
    let mut body = body;
    body["token"] = json!(token);
    body["account"] = json!("AC1");
    WebhookRequest {
        url: url.to_owned(),
        headers: vec![("x-word".into(), "open sesame".into())],
        body: Bytes::from(body.to_string()),
    }
}

fn no_call() -> Error {
    Error::not_found("call")
}

#[async_trait]
impl Telephony for Carrier {
    fn provider(&self) -> &'static str {
        "scripted"
    }

    fn check(&self, _: &CarrierAccount) -> Result<()> {
        self.desk().in_order()
    }

    async fn start(&self, _: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        let answer = {
            let mut desk = self.desk();
            desk.started.push(call.clone());
            desk.answers.pop_front()
        };
        if let Some(answer) = answer {
            return answer(call.clone()).await;
        }
        let mut desk = self.desk();
        let id = format!("CA{}", desk.started.len());
        desk.calls.insert(id.clone(), Progress::default());
        Ok(Started::Placed(carrier_call(&id, Progress::default())))
    }

    async fn find(&self, _: &CarrierAccount, sought: &SoughtCall) -> Result<Vec<CarrierCall>> {
        let mut desk = self.desk();
        desk.sought.push(sought.clone());
        desk.in_order()?;
        Ok(desk.listed.clone())
    }

    async fn fetch(&self, _: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        let mut desk = self.desk();
        desk.fetched += 1;
        desk.in_order()?;
        let progress = desk.calls.get(call).cloned().ok_or_else(no_call)?;
        Ok(carrier_call(call, progress))
    }

    async fn hang_up(&self, _: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        let mut desk = self.desk();
        desk.hung_up.push(call.to_owned());
        let ended = Progress::step(crm_core::calls::CallStatus::Canceled, None, None);
        let progress = desk.calls.get(call).cloned().ok_or_else(no_call)?.join(ended);
        desk.calls.insert(call.to_owned(), progress.clone());
        Ok(carrier_call(call, progress))
    }

    async fn recordings(&self, _: &CarrierAccount, _: &str) -> Result<Vec<CarrierRecording>> {
        Ok(self.desk().recordings.clone())
    }

    async fn audio(&self, _: &CarrierAccount, _: &str) -> Result<CarrierAudio> {
        let mut desk = self.desk();
        desk.audio_asked += 1;
        let (bytes, pieces, length) = match desk.audio.pop_front() {
            None | Some(Audio::NotThere) => return Err(Error::not_found("recording")),
            Some(Audio::Whole(bytes)) => (bytes, None, bytes.len()),
            Some(Audio::CutOff(bytes)) => (bytes, None, bytes.len() + 1),
            Some(Audio::Breaks(bytes)) => {
                let broken = Error::unavailable("the connection broke", "reset");
                (bytes, Some(Err(broken)), bytes.len() + 1)
            }
        };
        let whole = bytes.chunks(1000).map(|piece| Ok(Bytes::from_static(piece)));
        let pieces: Vec<Result<Bytes>> = whole.chain(pieces).collect();
        Ok(CarrierAudio {
            content_type: "audio/x-wav".into(),
            bytes: Some(length as u64),
            stream: Box::pin(stream::iter(pieces)),
        })
    }

    async fn delete_recording(&self, _: &CarrierAccount, recording: &str) -> Result<()> {
        self.desk().deleted.push(recording.to_owned());
        Ok(())
    }

    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        Some(body["account"].as_str()?.to_owned())
    }

    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        let word = request.header("x-word");
        let mut known = account.secrets.auth_tokens.iter().map(|token| token.reveal());
        match known.any(|token| word == Some(token)) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Forbidden, "another word")),
        }
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| Error::new(ErrorKind::Malformed, "no JSON"))?;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let number = |name: &str| PhoneNumber::from_e164(body[name].as_str()?);
        let progress = || serde_json::from_value(body["progress"].clone()).unwrap_or_default();
        let call = text("call").unwrap_or_default();
        let news = match body["news"].as_str() {
            Some("call") => WebhookNews::Call(carrier_call(&call, progress())),
            Some("incoming") => WebhookNews::Incoming {
                call: carrier_call(&call, progress()),
                from: number("from"),
                to: number("to").unwrap(),
            },
            Some("recording") => WebhookNews::Recording {
                call,
                recording: CarrierRecording {
                    id: text("recording").unwrap(),
                    status: text("status").unwrap().parse::<RecordingStatus>()?,
                    duration_seconds: Some(7),
                    channels: Some(2),
                },
            },
            _ => WebhookNews::Other,
        };
        Ok(Webhook { token: text("token"), news })
    }

    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply {
        WebhookReply { content_type: Some("text/plain"), body: format!("{script:?}") }
    }

    fn take_callbacks(&self, _: Timestamp) -> Vec<WebhookRequest> {
        Vec::new()
    }
}
