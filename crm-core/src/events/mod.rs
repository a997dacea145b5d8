//! The event log: what happened in a tenant, in order, for programs that follow it.

pub mod bus;
pub mod group;
pub mod model;
pub mod payload;
pub mod relay;
pub(crate) mod retention;
pub mod service;
pub mod store;
pub mod subscription;
pub mod visibility;

pub use bus::News;
pub use group::{Batch, GroupName, GroupProgress, GroupReader};
pub use model::{Event, EventBounds, EventName, EventPosition, RecordedEvent};
pub use payload::Payload;
pub use relay::Relay;
pub use service::Events;
pub use subscription::{After, Delivery, Subscription};
pub use visibility::Visibility;
