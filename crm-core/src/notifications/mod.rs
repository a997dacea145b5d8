//! What people are told: notifications, what they want of them, and how they come about.

mod channel;
mod commands;
mod handlers;
pub mod model;
mod outbox;
pub mod requests;
mod rules;
mod service;
pub mod store;

pub use channel::NotificationChannel;
pub(crate) use handlers::{NOTIFY, handlers};
pub use model::{
    IN_APP, Notification, NotificationKind, NotificationPreferences, QuietHours,
    SetNotificationPreferences,
};
pub use requests::ListNotifications;
pub(crate) use rules::may_notify;
pub use service::{Audience, Marked, NewBroadcast, Notifications, Told};
pub use store::{NotificationQuery, Which};
