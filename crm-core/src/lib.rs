//! The domain of a CRM that other programs embed.

pub mod access;
pub mod activities;
pub mod audit;
pub mod changes;
pub mod companies;
pub mod contacts;
mod crm;
mod email;
mod entity;
mod env;
mod error;
pub mod events;
mod hash;
mod id;
pub mod identity;
#[cfg(feature = "memory")]
pub mod memory;
mod page;
mod patch;
mod phone;
pub mod ports;
pub mod sample;
mod scope;
mod session;
pub mod tenancy;
pub mod text;
mod time;

pub use access::Role;
pub use changes::Changes;
pub use contacts::search::Nicknames;
pub use crm::{Crm, CrmBuilder, Principal};
pub use email::EmailAddress;
pub use entity::{EntityKind, EntityRef};
pub use error::{Error, ErrorKind, FieldError, Result};
pub use id::{ActivityId, AuditId, CompanyId, ContactId, EventId, Id, IdKind, TenantId, UserId};
pub use page::{Page, PageOf, SortKey};
pub use patch::Patch;
pub use phone::{PhoneNumber, Region};
pub use scope::{Actor, RequestId, SystemScope, TenantScope};
pub use session::Session;
pub use time::Timestamp;
