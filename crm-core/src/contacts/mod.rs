//! Contacts: the people that a tenant deals with.

pub mod model;
pub mod search;

pub use model::{
    Contact, ContactDetails, ContactEmail, ContactPatch, ContactPhone, CustomValue, NewContact,
    NewEmail, NewPhone, PostalAddress,
};
