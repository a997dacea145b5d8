//! The server store of crm-core: PostgreSQL 15 and later, with isolation that the database enforces.

mod doctor;
mod error;
pub mod isolation;
mod migrate;
mod password;
mod schema;

pub use doctor::doctor;
pub use migrate::Installation;
pub use schema::SchemaName;
