//! The domain of a CRM.

pub mod contacts;
mod email;
mod error;
mod id;
mod patch;
mod phone;
pub mod sample;
mod scope;
pub mod text;
mod time;

pub use email::EmailAddress;
pub use error::{Error, ErrorKind, FieldError, Result};
pub use id::{ActivityId, AuditId, CompanyId, ContactId, EventId, Id, IdKind, TenantId, UserId};
pub use patch::Patch;
pub use phone::{PhoneNumber, Region};
pub use scope::TenantScope;
pub use time::Timestamp;
