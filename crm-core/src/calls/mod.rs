//! Calls: how far they are for the carrier, what came of them for the business, their recordings.

mod model;

pub use model::{
    AnsweredBy, Call, CallFailure, CallPatch, CallStatus, CallStep, CallView, ConsentSnapshot,
    KeptRecording, LogCall, MAX_DISPOSITION, MAX_NOTE, MAX_STEPS, Placement, Price, Progress,
    Recording, RecordingStatus, StartCall,
};
