//! Twilio's words for what the core knows, as its REST API and its webhooks write them.

use chrono::DateTime;
use crm_core::Timestamp;
use crm_core::calls::{AnsweredBy, CallStatus, Price, RecordingStatus};

/// Characters of a text of Twilio's that are kept.
const LONGEST_TEXT: usize = 200;

/// `initiated` is said by webhooks alone.
pub(crate) fn call_status(word: &str) -> Option<CallStatus> {
    Some(match word {
        "queued" => CallStatus::Queued,
        "initiated" => CallStatus::Initiated,
        "ringing" => CallStatus::Ringing,
        "in-progress" | "answered" => CallStatus::InProgress,
        "completed" => CallStatus::Completed,
        "busy" => CallStatus::Busy,
        "no-answer" => CallStatus::NoAnswer,
        "canceled" => CallStatus::Canceled,
        "failed" => CallStatus::Failed,
        _ => return None,
    })
}

/// A recording that stands still may go on, and one that is processed is not there yet.
pub(crate) fn recording_status(word: &str) -> Option<RecordingStatus> {
    Some(match word {
        "in-progress" | "paused" | "stopped" | "processing" => RecordingStatus::InProgress,
        "completed" => RecordingStatus::Completed,
        "absent" => RecordingStatus::Absent,
        "failed" => RecordingStatus::Failed,
        _ => return None,
    })
}

/// `machine_start`, `machine_end_beep` and their like; a word that is not known says nothing.
pub(crate) fn answered_by(word: &str) -> Option<AnsweredBy> {
    match word {
        "" => None,
        "human" => Some(AnsweredBy::Human),
        "fax" => Some(AnsweredBy::Fax),
        word if word.starts_with("machine") => Some(AnsweredBy::Machine),
        _ => Some(AnsweredBy::Unknown),
    }
}

/// A time as RFC 2822 has it, e.g. `Tue, 31 Aug 2010 20:36:28 +0000`.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc().into())
}

/// A price with its currency; `None` where either is missing or none.
pub(crate) fn price(amount: &str, currency: &str) -> Option<Price> {
    let digits = amount.strip_prefix('-').unwrap_or(amount);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |part: &str| {
        (1..=16).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let known = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_alphabetic());
    (number(whole) && number(fraction) && known)
        .then(|| Price { amount: amount.to_owned(), currency: currency.to_ascii_uppercase() })
}

/// A sentence of Twilio's that may be shown: one line, not too long.
pub(crate) fn sentence(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(LONGEST_TEXT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_sides_are_known() {
        for word in ["queued", "ringing", "in-progress", "completed", "busy", "failed"] {
            assert!(call_status(word).is_some(), "{word}");
        }
        assert_eq!(call_status("no-answer"), Some(CallStatus::NoAnswer));
        assert_eq!(call_status("canceled"), Some(CallStatus::Canceled));
        assert_eq!(call_status("initiated"), Some(CallStatus::Initiated));
        assert_eq!(call_status("in_progress"), None);
        assert_eq!(recording_status("processing"), Some(RecordingStatus::InProgress));
        assert_eq!(recording_status("absent"), Some(RecordingStatus::Absent));
        for word in ["machine_start", "machine_end_beep", "machine_end_silence", "machine"] {
            assert_eq!(answered_by(word), Some(AnsweredBy::Machine), "{word}");
        }
        assert_eq!(answered_by("human"), Some(AnsweredBy::Human));
        assert_eq!(answered_by(""), None);
        assert_eq!(answered_by("parrot"), Some(AnsweredBy::Unknown));
    }

    #[test]
    fn a_time_and_a_price_are_read() {
        let at = time("Tue, 31 Aug 2010 20:36:28 +0000").unwrap();
        assert_eq!(at.to_string(), "2010-08-31T20:36:28Z");
        assert_eq!(time("2010-08-31T20:36:28Z"), None);
        let cents = price("-0.0140", "usd").unwrap();
        assert_eq!((cents.amount.as_str(), cents.currency.as_str()), ("-0.0140", "USD"));
        assert_eq!(price("", "USD"), None);
        assert_eq!(price("1e9", "USD"), None);
        assert_eq!(price("1.5", ""), None);
    }
}
