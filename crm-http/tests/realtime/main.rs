//! Clients that follow events over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod admission;
mod follow;
mod notifications;
mod protocol;
mod revocation;
mod scene;
mod streams;
