//! Stores with a fault each, which the cases and the comparison of stores must find.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod cases;
mod differential;
mod store;
