//! A notification, and what people want to hear of.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::email::shorten;
use crate::error::FieldError;
use crate::id::{NotificationId, UserId};
use crate::time::Timestamp;

/// Characters that a title may have.
pub const MAX_TITLE: usize = 200;
/// Characters that a body may have.
pub const MAX_BODY: usize = 4_000;
/// Channels that one kind's preferences can name.
pub const MAX_CHANNELS: usize = 32;
/// The channel that is the list of notifications itself.
pub const IN_APP: &str = "in_app";

/// What a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// A contact is now the person's.
    Assigned,
    /// A call of theirs is over.
    CallEnded,
    /// A call for them was not answered.
    CallMissed,
    /// Somebody named them.
    Mention,
    /// An import of theirs is over.
    ImportDone,
    /// An administrator has something to say.
    Broadcast,
}

impl NotificationKind {
    /// Every kind.
    pub const ALL: &'static [NotificationKind] = &[
        NotificationKind::Assigned,
        NotificationKind::CallEnded,
        NotificationKind::CallMissed,
        NotificationKind::Mention,
        NotificationKind::ImportDone,
        NotificationKind::Broadcast,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotificationKind::Assigned => "assigned",
            NotificationKind::CallEnded => "call_ended",
            NotificationKind::CallMissed => "call_missed",
            NotificationKind::Mention => "mention",
            NotificationKind::ImportDone => "import_done",
            NotificationKind::Broadcast => "broadcast",
        }
    }
}

/// Something that one person is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notification {
    /// Identifies it.
    pub id: NotificationId,
    /// Who is told.
    pub user_id: UserId,
    /// What it is for.
    pub kind: NotificationKind,
    /// One line, 1 to 200 characters.
    pub title: String,
    /// More, up to 4,000 characters.
    pub body: Option<String>,
    /// What it is about: ids by name, e.g. `contact_id`; `summary` is true where it stands for several.
    pub data: Map<String, Value>,
    /// How many it stands for; 1 but for summaries.
    pub count: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a program of the person's has had it.
    pub delivered_at: Option<Timestamp>,
    /// When the person has read it.
    pub read_at: Option<Timestamp>,
    /// Grows by one with each change.
    pub version: i64,
}

impl Notification {
    /// Whether it stands for several that would have been too many.
    pub fn is_summary(&self) -> bool {
        self.data.get("summary") == Some(&Value::Bool(true))
    }
}

/// What one person wants to hear of, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationPreferences {
    /// The person.
    pub user_id: UserId,
    /// By kind and channel, whether it is wanted; what is not named is. `in_app` is the list of notifications
    /// and the live connection, other channels are the host's.
    pub channels: BTreeMap<NotificationKind, BTreeMap<String, bool>>,
    /// When channels outside of the program keep silent.
    pub quiet_hours: Option<QuietHours>,
    /// Grows by one with each change; 0 where nothing was ever chosen.
    pub version: i64,
}

/// Hours of each day in which channels outside of the program wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Their beginning, `HH:MM`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$")))]
    pub from: String,
    /// Their end, `HH:MM`; before the beginning where it is on the next day.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$")))]
    pub to: String,
    /// Where the person is: the name of a time zone, e.g. `Europe/Berlin`.
    pub zone: String,
}

/// New preferences, in place of those before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetNotificationPreferences {
    /// By kind and channel, whether it is wanted; what is not named is.
    #[serde(default)]
    pub channels: BTreeMap<NotificationKind, BTreeMap<String, bool>>,
    /// When channels outside of the program keep silent.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
}

impl NotificationPreferences {
    /// Those of somebody who has chosen nothing: everything, at any time.
    pub fn unset(user_id: UserId) -> Self {
        NotificationPreferences {
            user_id,
            channels: BTreeMap::new(),
            quiet_hours: None,
            version: 0,
        }
    }

    /// Whether notifications of `kind` are wanted through `channel`.
    pub fn wants(&self, kind: NotificationKind, channel: &str) -> bool {
        self.channels.get(&kind).and_then(|of| of.get(channel)).copied().unwrap_or(true)
    }
}

impl SetNotificationPreferences {
    pub(super) fn check(&self) -> Vec<FieldError> {
        let mut refused = Vec::new();
        let named = |name: &str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            (1..=64).contains(&name.len()) && name.bytes().all(allowed)
        };
        for (kind, of) in &self.channels {
            let field = format!("channels.{}", kind.as_str());
            if of.len() > MAX_CHANNELS {
                let message = format!("{} channels are named; {MAX_CHANNELS} can be", of.len());
                refused.push(FieldError::new(field.clone(), "too_many", message));
            }
            if let Some(name) = of.keys().find(|name| !named(name)) {
                let message = format!(
                    "`{}` is no channel; one is named by 1 to 64 of `a-z0-9_`",
                    shorten(name)
                );
                refused.push(FieldError::new(field, "invalid_channel", message));
            }
        }
        if let Some(quiet) = &self.quiet_hours {
            for (field, text) in [("from", &quiet.from), ("to", &quiet.to)] {
                if time_of_day(text).is_none() {
                    let message = format!("`{}` is no time; write it as `22:00`", shorten(text));
                    let field = format!("quiet_hours.{field}");
                    refused.push(FieldError::new(field, "invalid_time", message));
                }
            }
            if quiet.zone.parse::<Tz>().is_err() {
                let message = format!(
                    "`{}` is no time zone; one is named like `Europe/Berlin`",
                    shorten(&quiet.zone)
                );
                refused.push(FieldError::new("quiet_hours.zone", "invalid_zone", message));
            }
        }
        refused
    }
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    (text.len() == 5).then(|| NaiveTime::parse_from_str(text, "%H:%M").ok()).flatten()
}

impl QuietHours {
    /// How long they last from `now` on; `None` outside of them.
    pub(crate) fn left(&self, now: Timestamp) -> Option<Duration> {
        let (from, to) = (time_of_day(&self.from)?, time_of_day(&self.to)?);
        let zone: Tz = self.zone.parse().ok()?;
        let now: DateTime<Utc> = now.into();
        let here = now.with_timezone(&zone).naive_local();
        let time = here.time();
        let quiet = if from <= to { from <= time && time < to } else { from <= time || time < to };
        if !quiet {
            return None;
        }
        let date = here.date();
        let date = if time < to { date } else { date.checked_add_days(Days::new(1))? };
        // A local time that clocks leave out begins after the gap.
        let end = (0..4).find_map(|half_hours| {
            let local = date.and_time(to) + chrono::TimeDelta::minutes(30 * half_hours);
            zone.from_local_datetime(&local).earliest()
        })?;
        // The hour that clocks repeat: its second half is quiet, too, and its end is over.
        let left = end.with_timezone(&Utc) - now;
        Some(left.to_std().unwrap_or(Duration::from_secs(60)))
    }
}
