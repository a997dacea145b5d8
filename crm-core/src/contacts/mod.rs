//! Contacts: the people that a tenant deals with.

pub mod formats;
pub mod model;

pub use model::{
    Contact, ContactDetails, ContactEmail, ContactPatch, ContactPhone, CustomValue, NewContact,
    NewEmail, NewPhone, PostalAddress,
};
