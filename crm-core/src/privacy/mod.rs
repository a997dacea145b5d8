//! Privacy: what contacts agreed to.

pub mod model;
pub mod service;
pub mod store;

pub use model::{Consent, NewConsent, Purpose};
pub use service::Privacy;
