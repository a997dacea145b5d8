//! The event log: what happened in a tenant, in order, for programs that follow it.

pub mod model;
pub mod service;
pub mod store;

pub use model::{Event, EventName, EventPosition, RecordedEvent};
pub use service::Events;
