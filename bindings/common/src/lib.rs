//! What the bindings to other languages share.

mod mounting;
mod opening;

pub use mounting::Mounting;
pub use opening::{Opened, Opening};
