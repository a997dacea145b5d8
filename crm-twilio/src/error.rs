//! What went wrong between us and Twilio, as the core's errors.

use std::time::Duration;

use chrono::DateTime;
use crm_core::{Error, ErrorKind};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::words::sentence;

/// How long is waited where Twilio does not say.
const A_MOMENT: Duration = Duration::from_secs(1);

/// A request that failed, and what may be known of its effect.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) fate: Fate,
    /// When it may be sent again, where Twilio says so.
    pub(crate) wait: Option<Duration>,
}

/// What became of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It never arrived.
    Unreached,
    /// It was turned away, for there were too many.
    Limited,
    /// It was refused, and would be again.
    Refused,
    /// It may have been done.
    Unknown,
}

impl Failure {
    /// An answer came that cannot be used.
    pub(crate) fn unreadable(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let error = Error::unavailable(what, source);
        Failure { error, fate: Fate::Unknown, wait: None }
    }

    /// No answer came, or not all of it.
    pub(crate) fn transport(error: reqwest::Error) -> Self {
        // The address has telephone numbers in it, which no log needs.
        let error = error.without_url();
        let (fate, what) = if error.is_connect() {
            (Fate::Unreached, "the carrier cannot be reached")
        } else if error.is_timeout() {
            (Fate::Unknown, "the carrier did not answer in time")
        } else {
            (Fate::Unknown, "the connection to the carrier broke")
        };
        Failure { error: Error::unavailable(what, error), fate, wait: None }
    }

    /// The answer says no.
    pub(crate) fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let refusal = Refusal::read(status, body);
        let wait = retry_after(headers);
        let source = format!("HTTP {}, code {:?}", status.as_u16(), refusal.code);
        let message = refusal.message();
        let refused = |kind| (Error::new(kind, message.clone()), Fate::Refused);
        let (error, fate) = match refusal.meaning(status) {
            Meaning::TooMany => {
                (Error::rate_limited(message, wait.unwrap_or(A_MOMENT)), Fate::Limited)
            }
            Meaning::Later => (Error::new(ErrorKind::Unavailable, message), Fate::Unknown),
            Meaning::Forbidden => refused(ErrorKind::Forbidden),
            Meaning::NotFound => refused(ErrorKind::NotFound),
            Meaning::Conflict => refused(ErrorKind::Conflict),
            Meaning::Invalid => {
                let field = field_of(refusal.code);
                (Error::invalid_field(field, "carrier_refused", message), Fate::Refused)
            }
        };
        Failure { error: error.with_source(source), fate, wait }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What a refusal means for the caller.
enum Meaning {
    TooMany,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    Later,
}

/// What Twilio says when it says no: `{code, message}`, or RFC 9457's `{code, title, detail}`.
struct Refusal {
    code: Option<u32>,
    message: Option<String>,
}

impl Refusal {
    /// Proxies on the way answer in HTML, with nothing, or with a JSON of their own.
    fn read(status: StatusCode, body: &[u8]) -> Self {
        let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| value.get(name)?.as_str().map(sentence).filter(|t| !t.is_empty());
        let code = value.get("code").and_then(serde_json::Value::as_u64);
        Refusal {
            code: code.and_then(|code| u32::try_from(code).ok()),
            message: text("message")
                .or_else(|| text("detail"))
                .or_else(|| text("title"))
                .or_else(|| status.canonical_reason().map(str::to_owned)),
        }
    }

    fn meaning(&self, status: StatusCode) -> Meaning {
        match (status.as_u16(), self.code) {
            (429, _) | (_, Some(20_429)) => Meaning::TooMany,
            (401 | 403, _) | (_, Some(20_003)) => Meaning::Forbidden,
            (404 | 410, _) | (_, Some(20_404)) => Meaning::NotFound,
            // The call is not in a state for that.
            (409, _) | (_, Some(21_220)) => Meaning::Conflict,
            // It took Twilio too long, which says nothing of what it did.
            (408, _) => Meaning::Later,
            (400..=499, _) => Meaning::Invalid,
            _ => Meaning::Later,
        }
    }

    fn message(&self) -> String {
        let verb = "the carrier refused";
        match (self.code, self.message.as_deref()) {
            (Some(code), Some(message)) => format!("{verb}: {code} {message}"),
            (Some(code), None) => format!("{verb}: {code}"),
            (None, Some(message)) => format!("{verb}: {message}"),
            (None, None) => verb.to_owned(),
        }
    }
}

/// Which value of a call a code is about (twilio.com/docs/api/errors).
fn field_of(code: Option<u32>) -> &'static str {
    match code {
        Some(21_201 | 21_202 | 21_211 | 21_214..=21_217 | 21_219) => "to",
        Some(21_203 | 21_210 | 21_212 | 21_213) => "from",
        _ => "call",
    }
}

/// `Retry-After` in seconds, or as a time, which is told by Twilio's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    (until - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::answered(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_refusal_has_its_kind_and_its_code() {
        let cases = [
            (400, r#"{"code":21211,"message":"Invalid 'To'"}"#, ErrorKind::Invalid, Fate::Refused),
            (400, r#"{"code":21220,"message":"No"}"#, ErrorKind::Conflict, Fate::Refused),
            (401, r#"{"code":20003,"message":"No"}"#, ErrorKind::Forbidden, Fate::Refused),
            (403, "", ErrorKind::Forbidden, Fate::Refused),
            (404, r#"{"code":20404,"message":"No"}"#, ErrorKind::NotFound, Fate::Refused),
            (429, r#"{"code":20429,"message":"No"}"#, ErrorKind::RateLimited, Fate::Limited),
            (408, "", ErrorKind::Unavailable, Fate::Unknown),
            (500, "<html>", ErrorKind::Unavailable, Fate::Unknown),
            (503, "[1]", ErrorKind::Unavailable, Fate::Unknown),
            (302, "", ErrorKind::Unavailable, Fate::Unknown),
            (422, r#"{"code":"x","detail":"odd"}"#, ErrorKind::Invalid, Fate::Refused),
        ];
        for (status, body, kind, fate) in cases {
            let failure = failure(status, body);
            assert_eq!((failure.error.kind(), failure.fate), (kind, fate), "{status} {body}");
        }
        let refused = failure(400, r#"{"code":21211,"message":"Invalid\n'To'"}"#).error;
        assert_eq!(refused.message(), "the carrier refused: 21211 Invalid 'To'");
        assert_eq!(refused.fields()[0].field, "to");
        assert_eq!(failure(502, "").error.message(), "the carrier refused: Bad Gateway");
        let detail = failure(422, r#"{"title":"Odd","detail":"odd number"}"#).error;
        assert_eq!(detail.message(), "the carrier refused: odd number");
        let long = failure(400, &format!(r#"{{"message":"{}"}}"#, "x".repeat(10_000))).error;
        assert!(long.message().len() < 300);
    }

    #[test]
    fn the_delay_is_read_as_seconds_and_as_a_time() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(RETRY_AFTER, "Tue, 31 Aug 2010 20:36:30 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
        headers.insert(DATE, "Tue, 31 Aug 2010 20:36:28 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(2)));
        headers.insert(RETRY_AFTER, "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}
