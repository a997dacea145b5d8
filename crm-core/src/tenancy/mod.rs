//! Tenants: the organisations whose data is kept apart.

pub mod model;
pub mod service;
pub mod settings;
pub mod store;

pub use model::{CreatedTenant, ListTenants, NewTenant, Slug, Tenant};
pub use service::System;
pub use settings::{TenantPatch, TenantSettings};
