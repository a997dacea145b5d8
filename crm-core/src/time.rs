//! Points in time, as every part of the CRM keeps them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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

    /// This point moved into the future, held at [`Timestamp::MAX`].
    pub fn after(self, duration: Duration) -> Timestamp {
        self.saturating_add_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }

    /// How long ago `earlier` was at this point; nothing where it is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
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
        if let Some(at) = canonical(text) {
            return Ok(at);
        }
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

/// Reads what [`Timestamp`] itself writes, `2026-03-01T09:30:00Z` with 0, 3 or 6 digits of a second: several
/// times faster than the general way, and a list of records is full of them.
fn canonical(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (whole, fraction) = bytes.strip_suffix(b"Z")?.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        whole
    else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u32::from(**digit - b'0'))
        })
    };
    let micros = match fraction {
        [] => 0,
        [b'.', a, b, c] => number(&[a, b, c])? * 1_000,
        [b'.', a, b, c, d, e, f] => number(&[a, b, c, d, e, f])?,
        _ => return None,
    };
    let year = number(&[y1, y2, y3, y4])?.cast_signed();
    let date = chrono::NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    // A leap second is left to the general way.
    let at =
        date.and_hms_micro_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?, micros)?;
    Timestamp::from_micros(at.and_utc().timestamp_micros())
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_of_reading_agree(
            micros in MIN_MICROS..=MAX_MICROS,
            step in prop::sample::select(vec![1, 1_000, 1_000_000]),
            at in 0_usize..27,
            letter in "[0-9TZ:.-]",
        ) {
            let time = Timestamp(micros - micros.rem_euclid(step));
            let text = time.to_string();
            prop_assert_eq!(canonical(&text), Some(time));
            let mut altered = text;
            let at = at % altered.len();
            altered.replace_range(at..=at, &letter);
            if let Some(read) = canonical(&altered) {
                let general = DateTime::parse_from_rfc3339(&altered).unwrap();
                prop_assert_eq!(read, Timestamp::from(general.with_timezone(&Utc)));
            }
        }
    }
}
