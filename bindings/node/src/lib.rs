//! The CRM inside a Node process: the part that is Rust.
//!
//! It is small and knows no entity: operations are called by their number in [`names`], what is given and what is
//! answered cross as JSON text, and files as bytes. The TypeScript beside it makes objects of that.
#![cfg_attr(test, allow(dead_code, reason = "in builds for tests nothing is registered with Node"))]
#![allow(unreachable_pub, reason = "what Node sees is public by its macro")]

mod bytes;
mod crm;
mod crossing;
mod events;
#[cfg(debug_assertions)]
mod faults;
mod import;
mod mount;
mod ports;
mod session;
mod webhook;
mod worker;

use std::sync::LazyLock;

use crm_core::operations::{self, Operation};
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

static OPERATIONS: LazyLock<Vec<&'static Operation>> =
    LazyLock::new(|| operations::all().collect());

/// The names of all operations. The place of a name is the number by which the operation is called.
#[napi]
pub fn names() -> Vec<&'static str> {
    OPERATIONS.iter().map(|operation| operation.name).collect()
}

/// A promise of nothing: what the border costs by itself, for who measures.
#[napi]
pub fn nothing(env: &Env) -> napi::Result<PromiseRaw<'_, ()>> {
    crossing::promise(env, async { Ok(()) })
}
