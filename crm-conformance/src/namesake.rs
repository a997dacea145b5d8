//! A carrier that gives every call one name.

use async_trait::async_trait;
use crm_core::calls::Progress;
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Telephony, Webhook, WebhookNews, WebhookReply, WebhookRequest,
};
use crm_core::{Error, Result, Timestamp};

#[derive(Debug)]
pub(crate) struct Namesake;

fn call() -> CarrierCall {
    CarrierCall { id: "ONE".to_owned(), progress: Progress::default() }
}

#[async_trait]
impl Telephony for Namesake {
    fn provider(&self) -> &'static str {
        "simulator"
    }

    fn check(&self, _: &CarrierAccount) -> Result<()> {
        Ok(())
    }

    async fn start(&self, _: &CarrierAccount, _: &OutgoingCall) -> Result<Started> {
        Ok(Started::Placed(call()))
    }

    async fn find(&self, _: &CarrierAccount, _: &SoughtCall) -> Result<Vec<CarrierCall>> {
        Ok(Vec::new())
    }

    async fn fetch(&self, _: &CarrierAccount, _: &str) -> Result<CarrierCall> {
        Ok(call())
    }

    async fn hang_up(&self, _: &CarrierAccount, _: &str) -> Result<CarrierCall> {
        Ok(call())
    }

    async fn recordings(&self, _: &CarrierAccount, _: &str) -> Result<Vec<CarrierRecording>> {
        Ok(Vec::new())
    }

    async fn audio(&self, _: &CarrierAccount, _: &str) -> Result<CarrierAudio> {
        Err(Error::not_found("recording"))
    }

    async fn delete_recording(&self, _: &CarrierAccount, _: &str) -> Result<()> {
        Ok(())
    }

    fn account_of(&self, _: &WebhookRequest) -> Option<String> {
        None
    }

    fn verify(&self, _: &CarrierAccount, _: &WebhookRequest) -> Result<()> {
        Ok(())
    }

    fn parse(&self, _: &WebhookRequest) -> Result<Webhook> {
        Ok(Webhook { token: None, news: WebhookNews::Other })
    }

    fn write_script(&self, _: &[ScriptStep]) -> WebhookReply {
        WebhookReply::RECEIVED
    }

    fn take_callbacks(&self, _: Timestamp) -> Vec<WebhookRequest> {
        Vec::new()
    }
}
