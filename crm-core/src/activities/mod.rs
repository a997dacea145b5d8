//! Activities: what happened with a contact, in order of time.

pub mod model;
pub mod requests;
pub mod service;
pub mod store;

pub use model::{
    Activity, ActivityData, ActivityKind, Direction, FieldChange, NewActivity, Stats, StatsGroup,
    StatsGroupBy,
};
pub use requests::{CountActivities, ListActivities};
pub use service::Activities;
pub use store::ActivityFilter;
