//! Contacts: the people that a tenant deals with.

mod check;
pub(crate) mod commands;
pub mod export;
pub mod formats;
pub mod import;
pub mod model;
pub mod requests;
pub mod search;
pub mod service;
pub mod store;
mod upsert;

pub use model::{
    Contact, ContactDetails, ContactEmail, ContactPatch, ContactPhone, CustomValue, NewContact,
    NewEmail, NewPhone, PostalAddress,
};
pub use requests::{ContactOrder, ContactPage, ListContacts, OfDeleted, SearchContacts};
pub use service::{Contacts, SearchHit, SearchSort};
pub use store::{ContactFilter, ContactKey, ContactSort, Deleted};
pub use upsert::Upserted;
