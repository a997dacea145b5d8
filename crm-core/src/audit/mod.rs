//! The audit log: who did what to which record.

pub mod model;
pub mod requests;
pub mod service;
pub mod store;

pub use model::{AuditEntry, AuditQuery};
pub use requests::ListAudit;
pub use service::Audit;
