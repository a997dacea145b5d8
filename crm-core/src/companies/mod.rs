//! Companies: the organisations that contacts work for.

pub mod model;
pub mod service;
pub mod store;

pub use model::{Company, CompanyKey, CompanyPatch, NewCompany};
pub use service::Companies;
