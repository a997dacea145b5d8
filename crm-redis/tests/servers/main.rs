//! Tests with a Redis of their own each: a copy of `redis-server` or `valkey-server`, on a port of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod access;
mod faults;
mod isolation;
mod support;
