//! Twilio's side of a call as servers of ours that misbehave, as Prism with the official OpenAPI document, and
//! as the official SDKs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests"
)]

mod audio;
mod calls;
mod flow;
mod peer;
mod prism;
mod retries;
mod scene;
mod sdk;
mod signatures;
mod tools;
mod webhooks;
