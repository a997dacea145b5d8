//! Users: the people who work in a tenant.

pub mod model;
pub mod service;
pub mod store;

pub use model::{NewUser, User, UserPatch, UserStatus};
pub use service::Users;
