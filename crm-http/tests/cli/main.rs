//! The program as the shell sees it: arguments and files in, tables, JSON and exit statuses out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod activities;
mod contacts;
mod data;
mod doctor;
mod interrupt;
mod migrate;
mod seed;
mod server;
mod shell;
mod tenancy;
mod usage;
