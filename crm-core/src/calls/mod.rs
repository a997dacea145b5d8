//! Calls: how far they are for the carrier, what came of them for the business, their recordings.

mod commands;
mod handlers;
mod model;
mod recordings;
pub mod requests;
mod service;
pub mod store;
mod webhooks;

pub(crate) use handlers::handlers;
pub use model::{
    AnsweredBy, Call, CallFailure, CallPatch, CallStatus, CallStep, CallView, ConsentSnapshot,
    KeptRecording, LogCall, MAX_DISPOSITION, MAX_NOTE, MAX_STEPS, Placement, Price, Progress,
    Recording, RecordingStatus, StartCall,
};
pub use recordings::RecordingFile;
pub use requests::ListCalls;
pub use service::Calls;
pub use store::{CallFilter, CallQuery};
