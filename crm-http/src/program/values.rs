//! How the options of the server write what they mean.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crm_core::identity::{RegistrationPolicy, TokenAlgorithm};
use crm_core::ports::Quota;
use crm_http::Origin;

/// An address to listen on, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Nowhere.
    Off,
    /// Here.
    On(SocketAddr),
}

/// How often, or `off` for as often as one likes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate(pub(crate) Option<Quota>);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object to a line.
    Json,
}

/// A web page's origin, or all.
#[derive(Debug, Clone)]
pub(crate) enum CorsOrigin {
    /// Every one.
    Any,
    /// This one.
    One(Origin),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Listen::Off);
        }
        let wrong = |_| format!("`{text}` is no address; write e.g. `127.0.0.1:9090`, or `off`");
        text.parse().map(Listen::On).map_err(wrong)
    }
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no address; write an IP address and a port, e.g. `127.0.0.1:8080`")
    })
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Rate(None));
        }
        let wrong = || format!("`{text}` is no rate; write e.g. `600/10s`, or `off`");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let period = duration(period.trim()).map_err(|_| wrong())?;
        Ok(Rate(Some(Quota::per(count, period))))
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("`{text}` is no format of log lines; write `text` or `json`")),
        }
    }
}

impl FromStr for CorsOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" { Ok(CorsOrigin::Any) } else { text.parse().map(CorsOrigin::One) }
    }
}

pub(crate) fn registrations(text: &str) -> Result<RegistrationPolicy, String> {
    match text {
        "open" => Ok(RegistrationPolicy::Open),
        "closed" => Ok(RegistrationPolicy::Closed),
        "invitation" => Ok(RegistrationPolicy::Invitation),
        _ => Err(format!("`{text}` is not known; write `open`, `closed` or `invitation`")),
    }
}

pub(crate) fn algorithm(text: &str) -> Result<TokenAlgorithm, String> {
    let known = TokenAlgorithm::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
    known.copied().ok_or_else(|| {
        format!("`{text}` is no algorithm of tokens; write `EdDSA`, `ES256` or `RS256`")
    })
}

pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no address of the web; write e.g. `https://crm.example`");
    let (scheme, place) = text.split_once("://").ok_or_else(wrong)?;
    let is_place = |b: u8| b.is_ascii_alphanumeric() || b".-:[]/_~%".contains(&b);
    if !matches!(scheme, "http" | "https") || place.is_empty() || !place.bytes().all(is_place) {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A stretch of time: a whole number and its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is no duration; write e.g. `500ms`, `30s`, `15m`, `12h` or `30d`");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let count: u64 = count.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" if count > 0 => return Ok(Duration::from_millis(count)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    // A hundred years are enough, and far from every overflow.
    let most = 100 * 366 * 24 * 60 * 60;
    let total = count.checked_mul(seconds).filter(|total| (1..=most).contains(total));
    total.map(Duration::from_secs).ok_or_else(wrong)
}

/// A token's lifetime, within what the core allows.
pub(crate) fn token_lifetime(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(10)..=Duration::from_secs(3600);
    let lifetime = duration(text)?;
    if allowed.contains(&lifetime) {
        return Ok(lifetime);
    }
    Err(format!("`{text}` is no lifetime of a token; write `10s` to `1h`"))
}

/// How long events can be read, within what the core allows.
pub(crate) fn events_kept(text: &str) -> Result<Duration, String> {
    let kept = duration(text)?;
    if kept >= Duration::from_secs(3600) {
        return Ok(kept);
    }
    Err(format!("`{text}` is too short for events to be kept; write `1h` or more"))
}

/// A whole number from 1 on.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    // Semaphores count no further.
    let most = usize::MAX >> 3;
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| format!("`{text}` is no number; write e.g. `10000`"))
}

/// A number of bytes, perhaps with a unit.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("`{text}` is no size; write bytes, or e.g. `512KiB`, `1MiB` or `2GiB`");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let count: usize = count.parse().map_err(|_| wrong())?;
    let unit = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    count.checked_mul(unit).filter(|total| *total > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        for (text, seconds) in
            [("1s", 1.0), ("15m", 900.0), ("2h", 7200.0), ("1d", 86400.0), ("250ms", 0.25)]
        {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds);
        }
        for text in
            ["", "5", "s", "0s", "-1s", "1.5s", "1w", "99999999999999999999s", "40000d", "é"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(events_kept("1h"), Ok(Duration::from_secs(3600)));
        assert!(events_kept("59m").is_err(), "who reads on within the hour misses nothing");
        assert_eq!((size("100"), size("64KiB"), size("2 GiB")), (Ok(100), Ok(65536), Ok(2 << 30)));
        for text in ["", "0", "1MB", "x", "99999999999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        let Rate(quota) = "600/10s".parse().unwrap();
        assert_eq!(quota, Some(Quota::per(600, Duration::from_secs(10))));
        assert!("off".parse::<Rate>().unwrap().0.is_none());
        for text in ["", "600", "0/1s", "5/0s", "x/1s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
