//! What events say: their shapes, and that they tell all that changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[path = "../common/clock.rs"]
mod clock;
mod commands;
mod model;
mod proof;
mod shapes;
mod world;
