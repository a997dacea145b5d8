//! What the core needs of a carrier of calls, and what a carrier tells.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blobs::ByteStream;
use crate::calls::{Progress, RecordingStatus};
use crate::error::{Error, Result};
use crate::identity::Secret;
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// An account with a carrier, and what proves that it is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CarrierAccount {
    /// The carrier's name of the account, e.g. `AC…`.
    pub name: String,
    /// What proves that it is ours.
    pub secrets: CarrierSecrets,
    /// The carrier's own settings, e.g. `edge` and `region`.
    pub options: BTreeMap<String, String>,
}

impl CarrierAccount {
    /// An account with these secrets and no settings of the carrier's own.
    pub fn new(name: impl Into<String>, secrets: CarrierSecrets) -> Self {
        CarrierAccount { name: name.into(), secrets, options: BTreeMap::new() }
    }

    /// The same with one more setting of the carrier's own.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}

/// What proves that an account is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CarrierSecrets {
    /// The account's tokens: the first is used, each is good for the carrier's signatures. Two while
    /// one takes the place of the other.
    #[cfg_attr(feature = "schema", schemars(length(max = 2), inner(length(min = 1, max = 255))))]
    pub auth_tokens: Vec<Secret>,
    /// An API key, which is used for requests instead of the first token.
    pub api_key: Option<CarrierApiKey>,
}

/// An API key of a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CarrierApiKey {
    /// Its name, e.g. `SK…`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub id: String,
    /// Its secret.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub secret: Secret,
}

/// A call that a carrier shall make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingCall {
    /// Who is called.
    pub to: PhoneNumber,
    /// One of the account's numbers.
    pub from: PhoneNumber,
    /// Whether it is recorded.
    pub record: bool,
    /// Whether the carrier listens for an answering machine.
    pub detect_machine: bool,
    /// How long it rings at most.
    pub ring_for: Duration,
    /// What happens when it is answered.
    pub script: Vec<ScriptStep>,
    /// Where the carrier tells of the call and of its recording; `None` where it cannot reach us.
    pub callback: Option<String>,
}

/// What happens in a call, one step after the other; then it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptStep {
    /// A sentence is read out.
    Say {
        /// The sentence.
        text: String,
        /// Its language (BCP 47), where the carrier should know.
        language: Option<String>,
    },
    /// The call is connected to this number.
    Connect {
        /// The number.
        to: PhoneNumber,
        /// What it sees as the calling number.
        caller_id: Option<PhoneNumber>,
        /// Whether the conversation is recorded.
        record: bool,
        /// Where the carrier tells of the recording.
        callback: Option<String>,
    },
    /// Nothing happens for this long.
    Pause(Duration),
    /// An incoming call is refused before it is answered.
    Reject,
}

/// A call as the carrier has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierCall {
    /// The carrier's name of the call.
    pub id: String,
    /// All that the carrier says of it.
    pub progress: Progress,
}

/// What came of asking for a call.
#[derive(Debug)]
pub enum Started {
    /// The carrier has it.
    Placed(CarrierCall),
    /// The carrier may have it: the request may have arrived, and no answer did.
    Unknown(Error),
}

/// A call that is looked for because the answer to its making was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoughtCall {
    /// Who was called.
    pub to: PhoneNumber,
    /// The account's number.
    pub from: PhoneNumber,
    /// Not made before.
    pub since: Timestamp,
    /// Not made after.
    pub until: Timestamp,
}

/// A recording as the carrier has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierRecording {
    /// The carrier's name of the recording.
    pub id: String,
    /// How far it is.
    pub status: RecordingStatus,
    /// How long it is.
    pub duration_seconds: Option<u32>,
    /// 1, or 2 where each side has its own.
    pub channels: Option<u8>,
}

/// The audio of a recording, as it comes.
pub struct CarrierAudio {
    /// What it is, e.g. `audio/x-wav`.
    pub content_type: String,
    /// How many bytes there are, where the carrier says so. Who reads fewer has not read it all.
    pub bytes: Option<u64>,
    /// The bytes. One that ends early ends with an error.
    pub stream: ByteStream,
}

impl std::fmt::Debug for CarrierAudio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarrierAudio")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// A request of the carrier's, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// The address that the carrier called, as the public knows it, with its query.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, byte by byte.
    pub body: Bytes,
}

impl WebhookRequest {
    /// The first header with this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the address's query.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.url.split_once('?')?;
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        query.split('&').find_map(|pair| {
            let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Ours are words and ids, which need no escapes.
            (own == name).then(|| value.to_owned())
        })
    }
}

/// What a carrier tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The carrier's name of this request, the same when it is repeated.
    pub token: Option<String>,
    /// What it says.
    pub news: WebhookNews,
}

/// What a carrier tells, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookNews {
    /// A call comes in, and the carrier asks what to do.
    Incoming {
        /// The call.
        call: CarrierCall,
        /// The calling number, where it is not withheld.
        from: Option<PhoneNumber>,
        /// The called number.
        to: PhoneNumber,
    },
    /// A call has come further.
    Call(CarrierCall),
    /// A recording has come further.
    Recording {
        /// The carrier's name of the call.
        call: String,
        /// The recording.
        recording: CarrierRecording,
    },
    /// Something that is of no use here.
    Other,
}

/// What a carrier is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookReply {
    /// What the body is; `None` without one.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: String,
}

impl WebhookReply {
    /// It has arrived; there is nothing to say.
    pub const RECEIVED: WebhookReply = WebhookReply { content_type: None, body: String::new() };
}

/// A carrier of telephone calls. One value serves every account.
#[async_trait]
pub trait Telephony: Send + Sync + 'static {
    /// The provider's stable name, 1 to 32 of `a-z0-9_`, e.g. `twilio`.
    fn provider(&self) -> &'static str;

    /// Looks whether the account is complete and well-formed. Nothing is sent.
    ///
    /// # Behavior
    ///
    /// - One without a name or secrets is not. (`an_account_without_secrets_is_refused`)
    ///
    /// # Errors
    ///
    /// `invalid` with each refused value, under the fields of [`CarrierAccount`].
    fn check(&self, account: &CarrierAccount) -> Result<()>;

    /// Asks for a call, once: a request that may have arrived is never sent again.
    ///
    /// # Behavior
    ///
    /// - A call that was asked for is found by [`Telephony::fetch`]. (`a_started_call_is_fetched`)
    /// - It is answered, ends, and stays as it ended. (`a_call_is_answered_and_ends`)
    ///
    /// # Errors
    ///
    /// Only where the carrier has no such call: `rate_limited` and `unavailable`, which may be tried
    /// again; `invalid`, `forbidden`, `conflict`, which may not.
    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started>;

    /// The calls that may be the one that is looked for, the earliest first.
    ///
    /// # Behavior
    ///
    /// - A call that was asked for is among them, by its numbers and its time.
    ///   (`a_started_call_is_found_by_its_numbers`)
    ///
    /// # Errors
    ///
    /// `unavailable`, `rate_limited`, `forbidden`.
    async fn find(&self, account: &CarrierAccount, sought: &SoughtCall)
    -> Result<Vec<CarrierCall>>;

    /// The call as it is now.
    ///
    /// # Behavior
    ///
    /// - There is no call under a name that was never given. (`an_unknown_call_is_not_found`)
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable`, `rate_limited`, `forbidden`.
    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall>;

    /// Ends the call, whether it is answered or not, and says what became of it. One that is over is
    /// left as it is.
    ///
    /// # Behavior
    ///
    /// - A call that was hung up is over. (`a_call_that_is_hung_up_ends`)
    /// - A second hang-up changes nothing. (`hanging_up_twice_is_once`)
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable`, `rate_limited`, `forbidden`.
    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall>;

    /// The recordings of a call.
    ///
    /// # Behavior
    ///
    /// - A call that was to be recorded has one that can be heard, any other none.
    ///   (`a_recorded_call_has_its_audio`)
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable`, `rate_limited`, `forbidden`.
    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>>;

    /// The audio of a recording, piece by piece.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not there, or not yet; `unavailable`, `rate_limited`, `forbidden`.
    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio>;

    /// Deletes a recording. One that is not there is deleted.
    ///
    /// # Behavior
    ///
    /// - A deleted recording can neither be listed nor heard. (`a_deleted_recording_is_gone`)
    ///
    /// # Errors
    ///
    /// `unavailable`, `rate_limited`, `forbidden`.
    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()>;

    /// Whose request this says it is: the carrier's name of the account. Not to be trusted before
    /// [`Telephony::verify`].
    fn account_of(&self, request: &WebhookRequest) -> Option<String>;

    /// Whether the request is the carrier's, for this account. Pure.
    ///
    /// # Behavior
    ///
    /// - It is with any of the account's tokens, and not when anything of it was altered.
    ///   (`callbacks_are_signed`)
    ///
    /// # Errors
    ///
    /// `forbidden` when it is not.
    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()>;

    /// What the request says. Pure.
    ///
    /// # Errors
    ///
    /// `malformed` when it cannot be read.
    fn parse(&self, request: &WebhookRequest) -> Result<Webhook>;

    /// The script in the carrier's words, as the answer to [`WebhookNews::Incoming`].
    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply;

    /// What the carrier has to tell by `now` where it cannot call us: requests as they would have
    /// come, each once. Asked for by the worker.
    ///
    /// # Behavior
    ///
    /// - What is told is what is fetched, and none is told later again.
    ///   (`callbacks_agree_with_the_call`)
    fn take_callbacks(&self, now: Timestamp) -> Vec<WebhookRequest>;
}
