//! The routes within a process, without a socket: what comes through is what a listener would give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bodies;
mod calls;
mod scene;
mod sockets;
