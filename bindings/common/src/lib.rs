//! What the bindings to other languages share.

mod mounting;
mod opening;
pub mod ports;

pub use mounting::Mounting;
pub use opening::{Opened, Opening};
