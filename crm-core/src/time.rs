//! Points in time, as every part of the CRM keeps them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::email::shorten;
use crate::error::{Error, Result};

/// A point in time in UTC, to the microsecond.
///
/// PostgreSQL keeps microseconds, so a finer clock would not survive a round trip; the type makes a
/// finer value impossible. In text it is RFC 3339 with `Z`.
///
/// ```
/// use crm_core::Timestamp;
/// let at: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
/// assert_eq!(at.to_string(), "2026-03-01T09:30:00Z");
/// assert_eq!(Timestamp::from_micros(at.as_micros()), Some(at));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0001-01-01 and 9999-12-31T23:59:59.999999, the years that RFC 3339 can write.
const MIN_MICROS: i64 = -62_135_596_800_000_000;
const MAX_MICROS: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The first point in time that can be kept, in the year 1.
    pub const MIN: Timestamp = Timestamp(MIN_MICROS);
    /// The last point in time that can be kept, in the year 9999.
    pub const MAX: Timestamp = Timestamp(MAX_MICROS);

    /// From microseconds since 1970-01-01T00:00:00Z; `None` outside of the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Option<Timestamp> {
        if micros < MIN_MICROS || micros > MAX_MICROS { None } else { Some(Timestamp(micros)) }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This point moved by `micros`, held within [`Timestamp::MIN`] and [`Timestamp::MAX`].
    pub fn saturating_add_micros(self, micros: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(micros).clamp(MIN_MICROS, MAX_MICROS))
    }

    /// The UTC date, `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_chrono().format("%Y-%m-%d").to_string()
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cuts to the microsecond and holds the value within the years 1 to 9999.
    fn from(at: DateTime<Utc>) -> Self {
        Timestamp(at.timestamp_micros().clamp(MIN_MICROS, MAX_MICROS))
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(at: Timestamp) -> Self {
        at.to_chrono()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// RFC 3339 (`2026-03-01T09:30:00Z`, any offset), or a date alone, which is its first moment in UTC.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(at.with_timezone(&Utc).into());
        }
        if let Ok(date) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc().into());
        }
        Err(Error::invalid_field(
            "time",
            "invalid_time",
            format!(
                "`{}` is not a point in time; write it as `2026-03-01T09:30:00Z` or `2026-03-01`",
                shorten(text)
            ),
        ))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
