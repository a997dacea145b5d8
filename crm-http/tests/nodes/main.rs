//! Several nodes over one PostgreSQL and one Redis, all of which fail: clients lose nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
#![cfg(unix)]

mod client;
#[path = "../cli/server.rs"]
mod database;
mod deployment;
#[path = "../server/http.rs"]
mod http;
mod losses;
mod outage;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the server")]
#[path = "../server/process.rs"]
mod process;
mod redis;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the command line")]
#[path = "../cli/shell.rs"]
mod shell;
mod slow;
