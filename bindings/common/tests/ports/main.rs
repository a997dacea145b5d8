//! Hosts that hang, raise and answer wrongly, and what becomes of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    dead_code,
    unreachable_pub,
    reason = "tests, which share their hosts"
)]

#[path = "../hosts/mod.rs"]
mod hosts;

mod blobs;
mod clock;
mod documented;
mod equipped;
mod scripted;
mod telephony;
