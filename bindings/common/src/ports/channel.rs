//! Notifications that a host sends.

use std::sync::Arc;

use async_trait::async_trait;
use crm_core::identity::User;
use crm_core::notifications::{IN_APP, Notification, NotificationChannel};
use crm_core::{Error, Result};
use serde::Serialize;

use super::TimeLimits;
use super::door::Door;
use super::host::Host;
use super::value::HostValue;

/// A channel of the host's.
#[derive(Debug)]
pub struct HostChannel {
    name: String,
    door: Door,
}

impl HostChannel {
    /// A channel of this name: 1 to 64 of `a-z0-9_`, and not `in_app`.
    ///
    /// # Errors
    ///
    /// `invalid` for another name, or where the host has no method `send`.
    pub fn new(name: impl Into<String>, host: Arc<dyn Host>, limits: TimeLimits) -> Result<Self> {
        let name = name.into();
        if !super::is_name(&name, 64) || name == IN_APP {
            let message = "a channel is named by 1 to 64 of `a-z0-9_`, and not `in_app`";
            return Err(Error::invalid_field("channels", "invalid_channel", message));
        }
        Ok(HostChannel { name, door: Door::new(host, "channel", limits, &["send"])? })
    }
}

#[async_trait]
impl NotificationChannel for HostChannel {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, notification: &Notification, user: &User) -> Result<()> {
        let arguments = vec![
            ("notification", record("Notification", notification)?),
            ("user", record("User", user)?),
        ];
        self.door.call("send", arguments).await?;
        Ok(())
    }
}

fn record(shape: &'static str, value: &impl Serialize) -> Result<HostValue> {
    Ok(HostValue::Record(shape, serde_json::to_value(value).map_err(Error::internal)?))
}
