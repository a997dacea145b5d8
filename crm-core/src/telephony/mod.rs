//! Carriers of calls: the port, and a tenant's accounts with them.

mod port;
pub mod simulator;

pub use port::{
    CarrierAccount, CarrierApiKey, CarrierAudio, CarrierCall, CarrierRecording, CarrierSecrets,
    OutgoingCall, ScriptStep, SoughtCall, Started, Telephony, Webhook, WebhookNews, WebhookReply,
    WebhookRequest,
};
pub use simulator::Simulator;
