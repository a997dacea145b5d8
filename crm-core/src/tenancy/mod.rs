//! Tenants: the organisations whose data is kept apart.

pub mod model;
pub mod service;
pub mod store;

pub use model::{NewTenant, Slug, Tenant};
pub use service::System;
