//! A carrier of calls that a host has written.

pub(super) mod shapes;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Telephony, Webhook, WebhookReply, WebhookRequest,
};
use crm_core::{Error, ErrorKind, FieldError, Result, Timestamp};

use self::shapes::{AudioShape, CallShape, RecordingShape, ReplyShape};
use super::TimeLimits;
use super::door::Door;
use super::host::Host;

/// Names of providers and types of content that a process can have from its hosts: they are kept for good.
const MOST_WORDS: usize = 256;

/// What a carrier that tells by webhooks needs, all of it.
const WEBHOOKS: [&str; 4] = ["account_of", "verify", "parse", "write_script"];

/// A carrier of the host's.
#[derive(Debug)]
pub struct HostTelephony {
    provider: &'static str,
    door: Door,
}

impl HostTelephony {
    /// A carrier under this name of its provider, 1 to 32 of `a-z0-9_`.
    ///
    /// # Errors
    ///
    /// `invalid` for another name, or where the host has not all of `start`, `find`, `fetch` and `hang_up`, or
    /// some of `account_of`, `verify`, `parse` and `write_script` and not all.
    pub fn new(provider: &str, host: Arc<dyn Host>, limits: TimeLimits) -> Result<Self> {
        let provider = if super::is_name(provider, 32) { lasting(provider) } else { None };
        let provider = provider.ok_or_else(|| {
            let message = "a provider is named by 1 to 32 of `a-z0-9_`";
            Error::invalid_field("telephony", "invalid_provider", message)
        })?;
        let mut needed = vec!["start", "find", "fetch", "hang_up"];
        if WEBHOOKS.iter().any(|method| host.has(method)) {
            needed.extend(WEBHOOKS);
        }
        Ok(HostTelephony { provider, door: Door::new(host, "telephony", limits, &needed)? })
    }
}

/// The text for as long as the process lives: once, however often it is asked for.
fn lasting(text: &str) -> Option<&'static str> {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = words.get(text) {
        return Some(word);
    }
    if words.len() >= MOST_WORDS || text.len() > 255 {
        return None;
    }
    let word: &'static str = Box::leak(text.into());
    words.insert(word);
    Some(word)
}

fn log(error: &Error, what: impl Display) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}

#[async_trait]
impl Telephony for HostTelephony {
    fn provider(&self) -> &'static str {
        self.provider
    }

    fn check(&self, account: &CarrierAccount) -> Result<()> {
        let mut refused = Vec::new();
        if account.name.is_empty() {
            let message = "an account has a name";
            refused.push(FieldError::new("name", "invalid_account", message));
        }
        if account.secrets.auth_tokens.is_empty() && account.secrets.api_key.is_none() {
            let message = "an account has a token or an API key";
            refused.push(FieldError::new("secrets.auth_tokens", "invalid_tokens", message));
        }
        if !refused.is_empty() {
            return Err(Error::invalid(refused));
        }
        if self.door.has("check") {
            self.door.call_now("check", vec![("account", shapes::account(account))])?;
        }
        Ok(())
    }

    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        let arguments =
            vec![("account", shapes::account(account)), ("call", shapes::outgoing(call))];
        match self.door.call("start", arguments).await {
            Ok(answer) => {
                let call = shapes::call_of(answer);
                Ok(call.map_or_else(Started::Unknown, Started::Placed))
            }
            // Only a host that says what happened knows that the carrier has no such call.
            Err(failed) if failed.chosen => Err(failed.error),
            Err(failed) => Ok(Started::Unknown(failed.error)),
        }
    }

    async fn find(
        &self,
        account: &CarrierAccount,
        sought: &SoughtCall,
    ) -> Result<Vec<CarrierCall>> {
        let arguments =
            vec![("account", shapes::account(account)), ("sought", shapes::sought(sought))];
        let found: Vec<CallShape> = self.door.call("find", arguments).await?.read()?;
        Ok(found.into_iter().map(CarrierCall::from).collect())
    }

    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        let arguments = vec![("account", shapes::account(account)), ("call_id", call.into())];
        shapes::call_of(self.door.call("fetch", arguments).await?)
    }

    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        let arguments = vec![("account", shapes::account(account)), ("call_id", call.into())];
        shapes::call_of(self.door.call("hang_up", arguments).await?)
    }

    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>> {
        if !self.door.has("recordings") {
            return Ok(Vec::new());
        }
        let arguments = vec![("account", shapes::account(account)), ("call_id", call.into())];
        let found: Vec<RecordingShape> = self.door.call("recordings", arguments).await?.read()?;
        Ok(found.into_iter().map(CarrierRecording::from).collect())
    }

    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio> {
        if !self.door.has("audio") {
            return Err(Error::not_found("recording"));
        }
        let arguments =
            vec![("account", shapes::account(account)), ("recording_id", recording.into())];
        let mut fields = self.door.call("audio", arguments).await?.fields()?;
        let chunks = fields.stream("chunks")?;
        let AudioShape { content_type, bytes } = fields.rest()?;
        Ok(CarrierAudio { content_type, bytes, stream: self.door.bytes("audio", chunks).await? })
    }

    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()> {
        if self.door.has("delete_recording") {
            let arguments =
                vec![("account", shapes::account(account)), ("recording_id", recording.into())];
            self.door.call("delete_recording", arguments).await?;
        }
        Ok(())
    }

    /// Nobody's where the host fails, so that the request is refused.
    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        if !self.door.has("account_of") {
            return None;
        }
        let arguments = vec![("request", shapes::request(request))];
        let asked = self.door.call_now("account_of", arguments).map_err(Error::from);
        asked.and_then(|answer| answer.text()).unwrap_or_else(|error| {
            log(&error, "the host cannot say whose a carrier's request is");
            None
        })
    }

    /// Only `True` accepts: a method that has forgotten to answer has verified nothing.
    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        let arguments =
            vec![("account", shapes::account(account)), ("request", shapes::request(request))];
        if self.door.call_now("verify", arguments)?.truth()? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "the request is not signed by the account's carrier"))
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        let arguments = vec![("request", shapes::request(request))];
        shapes::webhook_of(self.door.call_now("parse", arguments)?)
    }

    /// Nothing where the host fails: carriers then do what their account says.
    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply {
        let arguments = vec![("script", shapes::script(script))];
        let written = self.door.call_now("write_script", arguments).map_err(Error::from);
        let reply = written.and_then(|answer| answer.read::<ReplyShape>()).map(|reply| {
            let content_type = reply.content_type.as_deref().and_then(lasting);
            WebhookReply { content_type, body: reply.body }
        });
        reply.unwrap_or_else(|error| {
            log(&error, "the host cannot write what its carrier is answered");
            WebhookReply::RECEIVED
        })
    }

    /// None where the host fails: the call is asked for later, in any case.
    fn take_callbacks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        if !self.door.has("take_callbacks") {
            return Vec::new();
        }
        let taken = self.door.call_now("take_callbacks", vec![("now", now.into())]);
        let taken = taken.map_err(Error::from).and_then(|answer| answer.each(shapes::request_of));
        taken.unwrap_or_else(|error| {
            log(&error, "the host cannot say what its carrier has to tell");
            Vec::new()
        })
    }
}
