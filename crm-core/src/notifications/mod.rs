//! What people are told: notifications, what they want of them, and how they come about.

mod commands;
pub mod model;
pub mod store;

pub use model::{
    IN_APP, Notification, NotificationKind, NotificationPreferences, QuietHours,
    SetNotificationPreferences,
};
pub use store::{NotificationQuery, Which};
