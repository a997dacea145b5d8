//! What the benches share: the data they read and the rivals they measure against.

pub mod names;
pub mod trigram;
