//! The router in process: every route, what it refuses, and the document that describes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod activities;
mod api_keys;
mod audit;
mod authorization;
mod calls;
mod companies;
mod contacts;
mod document;
mod files;
mod host;
mod identity;
mod support;
mod tenants;
mod users;
