//! The port of what the host sends: e-mails, text messages, pushes.

use async_trait::async_trait;

use super::model::Notification;
use crate::error::Result;
use crate::identity::User;

/// A way to reach people outside of the program. What it is given comes at least once: a process that dies
/// between the sending and the commit sends again, so [`Notification::id`] should be handed on as the key of
/// the message where the other side takes one.
#[async_trait]
pub trait NotificationChannel: Send + Sync + 'static {
    /// Its name in people's preferences: 1 to 64 of `a-z0-9_`, and not `in_app`.
    fn name(&self) -> &str;

    /// Sends `notification` to `user`.
    ///
    /// # Errors
    ///
    /// What can be tried again, e.g. `unavailable`, is, after a pause that grows; what is the caller's mistake,
    /// e.g. `invalid`, makes the job dead.
    async fn send(&self, notification: &Notification, user: &User) -> Result<()>;
}
