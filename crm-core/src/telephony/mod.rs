//! Carriers of calls: the port, and a tenant's accounts with them.

mod account;
mod port;
pub mod simulator;

pub(crate) use account::not_a_number;
pub use account::{
    NewTelephonyAccount, TelephonyAccount, TelephonyAccountPatch, TelephonyAccountView,
    TelephonyAccounts, TelephonyStore,
};
pub use port::{
    CarrierAccount, CarrierApiKey, CarrierAudio, CarrierCall, CarrierRecording, CarrierSecrets,
    OutgoingCall, ScriptStep, SoughtCall, Started, Telephony, Webhook, WebhookNews, WebhookReply,
    WebhookRequest,
};
pub use simulator::Simulator;
