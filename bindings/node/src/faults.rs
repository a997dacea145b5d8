//! Faults on demand, in debug builds alone: tests see that none of them reaches the host.

use crm_core::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::crossing::{promise, wait};

#[expect(clippy::panic, reason = "that is what it is for")]
async fn faulty() -> Result<String> {
    panic!("on demand")
}

/// A promise of something that panics.
#[napi]
pub fn panics(env: &Env) -> napi::Result<PromiseRaw<'_, String>> {
    promise(env, faulty())
}

/// The same, on this very thread.
#[napi]
pub fn panics_blocking() -> napi::Result<String> {
    wait(faulty())
}
