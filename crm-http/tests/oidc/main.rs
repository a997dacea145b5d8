//! Signing in through providers of identities: a real one, and one of our own that does what none should.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests"
)]

mod answers;
mod browser;
mod browsers;
mod fake;
mod host;
mod people;
mod real;
mod real_provider;
mod scene;
mod tokens;
