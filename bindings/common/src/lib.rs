//! What the bindings to other languages share.

mod opening;

pub use opening::{Opened, Opening};
