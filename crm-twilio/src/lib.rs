//! Telephone calls of crm-core through Twilio: calls are made, followed, ended and recorded over its REST
//! API, and its webhooks are checked and read.
//!
//! A [`Twilio`] serves every account; what proves that an account is ours comes with each call of the
//! port. Nothing is kept here, so any number of processes may work side by side.
//!
//! ```
//! use crm_core::identity::Secret;
//! use crm_core::telephony::{CarrierAccount, CarrierSecrets, Telephony as _};
//! use crm_twilio::{Twilio, TwilioOptions};
//!
//! let twilio = Twilio::new(TwilioOptions::default())?;
//! let secrets = CarrierSecrets {
//!     auth_tokens: vec![Secret::new("0123456789abcdef0123456789abcdef")],
//!     api_key: None,
//! };
//! let account = CarrierAccount::new("AC0123456789abcdef0123456789abcdef", secrets)
//!     .option("edge", "dublin")
//!     .option("region", "ie1");
//! twilio.check(&account)?;
//! # Ok::<(), crm_core::Error>(())
//! ```
//!
//! An account's options are `edge` and `region`, as Twilio names them: requests go to
//! `api.{edge}.{region}.twilio.com`. A region needs its edge; an edge alone is one of `us1`.

mod account;
mod audio;
mod calls;
mod error;
mod form;
mod options;
mod recordings;
mod rest;
mod signature;
mod twiml;
mod webhook;
mod words;

use async_trait::async_trait;
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Telephony, Webhook, WebhookReply, WebhookRequest,
};
use crm_core::{Error, Result, Timestamp};

pub use options::TwilioOptions;
pub use signature::sign;

use rest::Rest;

/// Twilio as a carrier of calls, with one pool of connections for all accounts.
#[derive(Debug)]
pub struct Twilio {
    rest: Rest,
}

impl Twilio {
    /// Twilio, reached as `options` say.
    ///
    /// # Errors
    ///
    /// `invalid` for a base URL that is none, or that would send secrets in the clear; `internal` where
    /// TLS cannot be set up.
    pub fn new(options: TwilioOptions) -> Result<Self> {
        Ok(Twilio { rest: Rest::new(options)? })
    }
}

#[async_trait]
impl Telephony for Twilio {
    fn provider(&self) -> &'static str {
        "twilio"
    }

    fn check(&self, account: &CarrierAccount) -> Result<()> {
        let refused = account::refusals(account);
        if refused.is_empty() { Ok(()) } else { Err(Error::invalid(refused)) }
    }

    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        calls::start(&self.rest, &self.rest.account(account)?, call).await
    }

    async fn find(
        &self,
        account: &CarrierAccount,
        sought: &SoughtCall,
    ) -> Result<Vec<CarrierCall>> {
        calls::find(&self.rest, &self.rest.account(account)?, sought).await
    }

    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        calls::fetch(&self.rest, &self.rest.account(account)?, call).await
    }

    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        calls::hang_up(&self.rest, &self.rest.account(account)?, call).await
    }

    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>> {
        recordings::list(&self.rest, &self.rest.account(account)?, call).await
    }

    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio> {
        audio::fetch(&self.rest, &self.rest.account(account)?, recording).await
    }

    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()> {
        recordings::delete(&self.rest, &self.rest.account(account)?, recording).await
    }

    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        webhook::account_of(request)
    }

    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        signature::verify(&account.secrets.auth_tokens, request)
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        webhook::parse(request)
    }

    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply {
        WebhookReply { content_type: Some("text/xml; charset=utf-8"), body: twiml::write(script) }
    }

    /// Nothing: what Twilio has to tell it tells over HTTP.
    fn take_callbacks(&self, _now: Timestamp) -> Vec<WebhookRequest> {
        Vec::new()
    }
}
