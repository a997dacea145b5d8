//! What the bindings to other languages share.

mod opening;
pub mod ports;

pub use opening::{Opened, Opening};
