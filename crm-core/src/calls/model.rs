//! A call, what is known of it, and how news of it are merged.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::activities::Direction;
use crate::email::shorten;
use crate::error::{Error, Result};
use crate::id::{ActivityId, CallId, ConsentId, ContactId, TelephonyAccountId, UserId};
use crate::patch::Patch;
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// Characters that a call's note may have.
pub const MAX_NOTE: usize = 10_000;
/// Characters that a disposition may have.
pub const MAX_DISPOSITION: usize = 64;
/// Steps that are kept of a call. A carrier tells five; more can only be made up.
pub const MAX_STEPS: usize = 32;
/// Recordings that are kept of a call.
pub(crate) const MAX_RECORDINGS: usize = 16;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$vdoc:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                $name::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let known: Vec<_> = $name::ALL.iter().map(|word| word.as_str()).collect();
                    let message = format!(
                        concat!("`{}` is no ", $what, "; choose one of {}"),
                        shorten(text),
                        known.join(", ")
                    );
                    Error::invalid_field("status", "invalid_status", message)
                })
            }
        }
    };
}

words! {
    /// How far a call is for the carrier. Ordered: of two that are told of one call the greater is true,
    /// whichever was told first. An end is greater than all that comes before an end, and of two different
    /// ends the one that says more of the conversation wins, so that any order of news ends alike.
    CallStatus, "status of a call",
    /// Asked for, and not yet with the carrier, or waiting there.
    Queued = "queued",
    /// The carrier dials.
    Initiated = "initiated",
    /// It rings.
    Ringing = "ringing",
    /// Somebody, or something, has answered.
    InProgress = "in_progress",
    /// It could not be made.
    Failed = "failed",
    /// It was taken back before it was answered.
    Canceled = "canceled",
    /// Nobody answered.
    NoAnswer = "no_answer",
    /// The line was busy.
    Busy = "busy",
    /// It was answered, and is over.
    Completed = "completed",
}

impl CallStatus {
    /// Whether the call is over.
    pub const fn is_end(self) -> bool {
        match self {
            CallStatus::Queued
            | CallStatus::Initiated
            | CallStatus::Ringing
            | CallStatus::InProgress => false,
            CallStatus::Failed
            | CallStatus::Canceled
            | CallStatus::NoAnswer
            | CallStatus::Busy
            | CallStatus::Completed => true,
        }
    }
}

words! {
    /// Who or what answered a call, where the carrier listened for it.
    AnsweredBy, "answer",
    /// It could not tell.
    Unknown = "unknown",
    /// A fax machine.
    Fax = "fax",
    /// An answering machine.
    Machine = "machine",
    /// A person.
    Human = "human",
}

/// Something that was told of a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallStep {
    /// How far the call was.
    pub status: CallStatus,
    /// The carrier's number of this step, from 0, where it counts them.
    pub sequence: Option<u32>,
    /// When, where the carrier says so.
    pub at: Option<Timestamp>,
}

/// What a call costs, as the carrier says: an amount in its own notation, e.g. `-0.0140`, and a currency
/// (ISO 4217).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Price {
    /// The amount.
    pub amount: String,
    /// The currency.
    pub currency: String,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallFailure {
    /// A stable word of ours, or the carrier's number.
    pub code: String,
    /// For people.
    pub message: String,
}

/// All that a carrier has told of a call. [`Progress::join`] merges what is told: it is commutative,
/// associative and idempotent, so news may come in any order and any number of times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was told, each step once, in order.
    #[serde(default)]
    pub steps: Vec<CallStep>,
    /// When it was answered.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// How long was talked.
    #[serde(default)]
    pub duration_seconds: Option<u32>,
    /// Who or what answered.
    #[serde(default)]
    pub answered_by: Option<AnsweredBy>,
    /// What it costs.
    #[serde(default)]
    pub price: Option<Price>,
    /// Why it failed.
    #[serde(default)]
    pub failure: Option<CallFailure>,
}

impl Progress {
    /// News of one step.
    pub fn step(status: CallStatus, sequence: Option<u32>, at: Option<Timestamp>) -> Self {
        let answered_at = if status == CallStatus::InProgress { at } else { None };
        let ended_at = if status.is_end() { at } else { None };
        let steps = vec![CallStep { status, sequence, at }];
        Progress { steps, answered_at, ended_at, ..Progress::default() }
    }

    /// How far the call is by all that was told.
    pub fn status(&self) -> CallStatus {
        self.steps.iter().map(|step| step.status).max().unwrap_or(CallStatus::Queued)
    }

    /// What is known when both are known.
    #[must_use]
    pub fn join(mut self, other: Progress) -> Self {
        self.steps.extend(other.steps);
        // Of one step that is told with different times the earliest stays.
        self.steps.sort_by_key(|step| (step.status, step.sequence, step.at.is_none(), step.at));
        self.steps.dedup_by_key(|step| (step.status, step.sequence));
        // The greatest stay, so the status is among them.
        self.steps.drain(..self.steps.len().saturating_sub(MAX_STEPS));
        Progress {
            answered_at: least(self.answered_at, other.answered_at),
            ended_at: least(self.ended_at, other.ended_at),
            duration_seconds: self.duration_seconds.max(other.duration_seconds),
            answered_by: self.answered_by.max(other.answered_by),
            price: self.price.max(other.price),
            failure: self.failure.max(other.failure),
            steps: self.steps,
        }
    }
}

fn least(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether the carrier has the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// It was not handed over yet.
    Waiting,
    /// It was handed over, and no answer is known: the carrier may have it. It is not handed over again.
    Unknown,
    /// The carrier has it.
    Placed,
    /// The carrier never had it: it was refused, taken back in time, or logged by hand.
    None,
}

/// Whether the contact had agreed to be recorded when the call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConsentSnapshot {
    /// The answer; `None` where the contact was never asked.
    pub granted: Option<bool>,
    /// The record of the answer.
    pub consent_id: Option<ConsentId>,
    /// When it was looked up.
    pub at: Timestamp,
}

words! {
    /// How far a recording is for the carrier. Ordered as [`CallStatus`] is.
    RecordingStatus, "status of a recording",
    /// The carrier records, or prepares the file.
    InProgress = "in_progress",
    /// There is none: too short, or silent.
    Absent = "absent",
    /// It could not be made.
    Failed = "failed",
    /// It can be fetched.
    Completed = "completed",
}

/// A recording of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The carrier's name of it.
    pub provider_recording_id: String,
    /// How far it is for the carrier.
    pub status: RecordingStatus,
    /// How long it is.
    #[serde(default)]
    pub duration_seconds: Option<u32>,
    /// 1, or 2 where each side has its own.
    #[serde(default)]
    pub channels: Option<u8>,
    /// The file that is kept of it.
    #[serde(default)]
    pub kept: Option<KeptRecording>,
    /// When it was deleted; from then on it cannot be heard.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// The file of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecording {
    /// Its name among the blobs.
    pub blob: String,
    /// Bytes of the audio.
    pub bytes: u64,
    /// SHA-256 of the audio, in hexadecimal digits.
    pub sha256: String,
    /// What the carrier said it is, e.g. `audio/x-wav`.
    pub content_type: String,
    /// Which key of the key ring it is sealed with, and the salt of its own key.
    pub sealed_by: String,
    /// When it was fetched.
    pub stored_at: Timestamp,
    /// When it is deleted; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Recording {
    /// What is known when the carrier says this, too.
    pub(crate) fn learn(
        &mut self,
        status: RecordingStatus,
        seconds: Option<u32>,
        channels: Option<u8>,
    ) {
        self.status = self.status.max(status);
        self.duration_seconds = self.duration_seconds.max(seconds);
        self.channels = self.channels.max(channels);
    }

    /// The file, where it can be heard.
    pub fn heard(&self) -> Option<&KeptRecording> {
        self.kept.as_ref().filter(|_| self.deleted_at.is_none())
    }
}

/// A telephone call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// Identifies the call within its tenant.
    pub id: CallId,
    /// Who is called or calls, where it is known.
    pub contact_id: Option<ContactId>,
    /// The user who called, or logged the call.
    pub user_id: Option<UserId>,
    /// Who called whom.
    pub direction: Direction,
    /// The calling number; `None` where it is withheld.
    pub from: Option<PhoneNumber>,
    /// The called number.
    pub to: Option<PhoneNumber>,
    /// What came of it for the business: one of the tenant's dispositions.
    pub disposition: Option<String>,
    /// What is to be known of it.
    pub note: Option<String>,
    /// Who carries it; `None` for a call that was logged by hand.
    pub provider: Option<String>,
    /// The tenant's account with the provider.
    pub account_id: Option<TelephonyAccountId>,
    /// The provider's name of the call.
    pub provider_call_id: Option<String>,
    /// Whether the carrier has it.
    pub placement: Placement,
    /// Since when a hang-up is wanted.
    pub hang_up_at: Option<Timestamp>,
    /// What the carrier has told.
    pub progress: Progress,
    /// Whether it is to be recorded.
    pub record: bool,
    /// Whether the contact had agreed to that.
    pub consent: Option<ConsentSnapshot>,
    /// Its recordings, in the order in which they became known.
    pub recordings: Vec<Recording>,
    /// Its entry on the contact's timeline.
    pub activity_id: ActivityId,
    /// When it was asked for, came in or took place.
    pub started_at: Timestamp,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl Call {
    /// How far it is for the carrier.
    pub fn status(&self) -> CallStatus {
        self.progress.status()
    }

    /// The recording that is served: the first that can be heard.
    pub fn recording(&self) -> Option<&Recording> {
        self.recordings.iter().find(|recording| recording.heard().is_some())
    }

    /// The number of the other side.
    pub fn other_number(&self) -> Option<&PhoneNumber> {
        match self.direction {
            Direction::Inbound => self.from.as_ref(),
            Direction::Outbound => self.to.as_ref(),
        }
    }
}

/// A call as front doors show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Call"))]
pub struct CallView {
    /// Identifies the call within its tenant.
    pub id: CallId,
    /// Who is called or calls, where it is known.
    pub contact_id: Option<ContactId>,
    /// The user who called, or logged the call.
    pub user_id: Option<UserId>,
    /// Who called whom.
    pub direction: Direction,
    /// The calling number; `null` where it is withheld.
    pub from: Option<PhoneNumber>,
    /// The called number.
    pub to: Option<PhoneNumber>,
    /// How far it is for the carrier.
    pub status: CallStatus,
    /// Whether the carrier has it.
    pub placement: Placement,
    /// What came of it for the business.
    pub disposition: Option<String>,
    /// Who carries it; `null` for a call that was logged by hand.
    pub provider: Option<String>,
    /// The provider's name of the call.
    pub provider_call_id: Option<String>,
    /// When it was asked for, came in or took place.
    pub started_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How long was talked.
    pub duration_seconds: Option<u32>,
    /// Who or what answered.
    pub answered_by: Option<AnsweredBy>,
    /// What it costs, where the carrier says so.
    pub price: Option<Price>,
    /// Why it failed.
    pub failure: Option<CallFailure>,
    /// Whether the contact had agreed to be recorded when the call was made.
    pub recording_consent: Option<ConsentSnapshot>,
    /// Whether there is a recording that can be heard.
    pub has_recording: bool,
    /// When the recording is deleted.
    pub recording_expires_at: Option<Timestamp>,
    /// What is to be known of the call.
    pub note: Option<String>,
    /// Its entry on the contact's timeline.
    pub activity_id: ActivityId,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl From<&Call> for CallView {
    fn from(call: &Call) -> Self {
        let heard = call.recording().and_then(Recording::heard);
        let progress = &call.progress;
        CallView {
            id: call.id,
            contact_id: call.contact_id,
            user_id: call.user_id,
            direction: call.direction,
            from: call.from.clone(),
            to: call.to.clone(),
            status: call.status(),
            placement: call.placement,
            disposition: call.disposition.clone(),
            provider: call.provider.clone(),
            provider_call_id: call.provider_call_id.clone(),
            started_at: call.started_at,
            answered_at: progress.answered_at,
            ended_at: progress.ended_at,
            duration_seconds: progress.duration_seconds,
            answered_by: progress.answered_by,
            price: progress.price.clone(),
            // What was told of a failure before the call was completed after all is no failure.
            failure: progress.failure.clone().filter(|_| call.status() != CallStatus::Completed),
            recording_consent: call.consent,
            has_recording: heard.is_some(),
            recording_expires_at: heard.and_then(|kept| kept.expires_at),
            note: call.note.clone(),
            activity_id: call.activity_id,
            created_at: call.created_at,
            updated_at: call.updated_at,
            version: call.version,
        }
    }
}

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartCall {
    /// Who is called.
    pub contact_id: ContactId,
    /// One of the contact's numbers, in any notation; the primary one where it is absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 255), regex(pattern = crate::schema::LINE)))]
    pub to: Option<String>,
    /// One of the tenant's numbers, in any notation; the first one of its first account where it is
    /// absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 255), regex(pattern = crate::schema::LINE)))]
    pub from: Option<String>,
    /// Whether it is to be recorded, which takes the contact's consent.
    #[serde(default)]
    pub record: bool,
}

impl StartCall {
    /// A call to the contact's primary number that is not recorded.
    pub fn to(contact_id: ContactId) -> Self {
        StartCall { contact_id, to: None, from: None, record: false }
    }

    /// The same, recorded.
    #[must_use]
    pub fn recorded(self) -> Self {
        StartCall { record: true, ..self }
    }
}

/// A call that was made on an ordinary phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LogCall {
    /// With whom.
    pub contact_id: ContactId,
    /// Who called whom.
    pub direction: Direction,
    /// The contact's number, in any notation; the primary one where it is absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 255), regex(pattern = crate::schema::LINE)))]
    pub number: Option<String>,
    /// When it began; now, where it is absent.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// How it ended: `completed` where it is absent, or another end.
    #[serde(default)]
    pub status: Option<CallStatus>,
    /// How long was talked, at most a week.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 604_800)))]
    pub duration_seconds: Option<u32>,
    /// What came of it: one of the tenant's dispositions.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_DISPOSITION)))]
    pub disposition: Option<String>,
    /// What is to be known of it, at most [`MAX_NOTE`] characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NOTE)))]
    pub note: Option<String>,
}

/// The longest call that is logged by hand.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A change to a call: an RFC 7396 merge patch.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CallPatch {
    /// What came of it: one of the tenant's dispositions.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_DISPOSITION)))]
    pub disposition: Patch<String>,
    /// What is to be known of it, at most [`MAX_NOTE`] characters.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NOTE)))]
    pub note: Patch<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at() -> impl Strategy<Value = Option<Timestamp>> {
        prop::option::of((0_i64..4).prop_map(|second| Timestamp::from_micros(second).unwrap()))
    }

    fn news() -> impl Strategy<Value = Progress> {
        let step = (prop::sample::select(CallStatus::ALL), prop::option::of(0_u32..20), at());
        let price = prop::sample::select(vec!["-0.0140", "-0.0200"]);
        let said = (
            prop::option::of(0_u32..3),
            prop::option::of(prop::sample::select(AnsweredBy::ALL)),
            prop::option::of(price),
            prop::option::of(0_u8..3),
        );
        (step, said).prop_map(|((status, sequence, at), (seconds, by, price, code))| Progress {
            duration_seconds: seconds,
            answered_by: by,
            price: price.map(|amount| Price { amount: amount.into(), currency: "USD".into() }),
            failure: code
                .map(|code| CallFailure { code: code.to_string(), message: String::new() }),
            ..Progress::step(status, sequence, at)
        })
    }

    /// Short ones, and some with more steps than are kept.
    fn progress() -> impl Strategy<Value = Progress> {
        let some =
            prop_oneof![prop::collection::vec(news(), 0..6), prop::collection::vec(news(), 60)];
        some.prop_map(|all| all.into_iter().fold(Progress::default(), Progress::join))
    }

    fn join(one: &Progress, other: &Progress) -> Progress {
        one.clone().join(other.clone())
    }

    proptest! {
        #[test]
        fn news_are_merged_alike_in_any_order_and_number(
            a in progress(), b in progress(), c in progress()
        ) {
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&join(&a, &b), &a), join(&a, &b));
            prop_assert!(join(&a, &b).steps.len() <= MAX_STEPS);
        }

        #[test]
        fn an_end_is_never_left(a in progress(), b in progress()) {
            let both = join(&a, &b).status();
            prop_assert_eq!(both, a.status().max(b.status()));
            prop_assert!(both.is_end() || !(a.status().is_end() || b.status().is_end()));
        }
    }

    #[test]
    fn ends_are_greater_than_all_that_comes_before() {
        for one in CallStatus::ALL {
            for other in CallStatus::ALL {
                assert!(!one.is_end() || other.is_end() || one > other, "{one} and {other}");
            }
        }
    }
}
