//! The server as its callers and its operator see it: the real program on free ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests"
)]
#![cfg(unix)]

#[path = "../cli/server.rs"]
mod database;
mod http;
mod keys;
mod limits;
mod log;
mod metrics;
mod postgres;
mod process;
#[cfg(feature = "oidc")]
mod providers;
mod settings;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the command line")]
#[path = "../cli/shell.rs"]
mod shell;
mod shutdown;
mod start;
mod worker;
