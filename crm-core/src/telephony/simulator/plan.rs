//! What happens in a simulated call, as a function of its beginning and of the time.

use std::time::Duration;

use super::Outcome;
use crate::activities::Direction;
use crate::calls::{AnsweredBy, CallFailure, CallStatus, Progress, RecordingStatus};
use crate::identity::Secret;
use crate::phone::PhoneNumber;
use crate::telephony::port::{CarrierCall, CarrierRecording};
use crate::time::Timestamp;

const DIALS: Duration = Duration::from_secs(1);
const RINGS: Duration = Duration::from_secs(2);
/// After it began to ring.
const REFUSED: Duration = Duration::from_secs(1);
/// After it began to ring.
const ANSWERED: Duration = Duration::from_secs(3);
const TALK: Duration = Duration::from_secs(10);
/// After the end of the call.
const RECORDING_READY: Duration = Duration::from_secs(2);

/// A call, from which all follows that is told of it.
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) account: String,
    /// What its callbacks are signed with.
    pub(super) token: Secret,
    pub(super) direction: Direction,
    pub(super) from: Option<PhoneNumber>,
    pub(super) to: PhoneNumber,
    pub(super) started_at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) detect_machine: bool,
    pub(super) ring_for: Duration,
    pub(super) recorded: bool,
    pub(super) hung_up_at: Option<Timestamp>,
    /// Where is asked what to do with an incoming call.
    pub(super) voice_url: String,
    pub(super) url: String,
    pub(super) recording_url: String,
}

/// Something that is told of a call, and when.
pub(super) struct Notice {
    pub(super) at: Timestamp,
    pub(super) news: News,
}

pub(super) enum News {
    Incoming(Progress),
    Step(Progress),
    Recording(CarrierRecording),
}

/// The call that a recording belongs to, by their names.
pub(super) fn call_of(recording: &str) -> Option<&str> {
    recording.strip_suffix("-audio")
}

impl Plan {
    /// The call as it is at `now`.
    pub(super) fn call(&self, now: Timestamp) -> CarrierCall {
        CarrierCall { id: self.id.clone(), progress: self.progress(now) }
    }

    /// All that was told of the call's way by `now`.
    pub(super) fn progress(&self, now: Timestamp) -> Progress {
        let told = self.notices().into_iter().take_while(|notice| notice.at <= now);
        told.fold(Progress::default(), |known, notice| match notice.news {
            News::Incoming(progress) | News::Step(progress) => known.join(progress),
            News::Recording(_) => known,
        })
    }

    /// The recording as it is at `now`.
    pub(super) fn recording(&self, now: Timestamp) -> Option<CarrierRecording> {
        let told = self.notices().into_iter().take_while(|notice| notice.at <= now);
        told.filter_map(|notice| match notice.news {
            News::Recording(recording) => Some(recording),
            News::Incoming(_) | News::Step(_) => None,
        })
        .last()
    }

    /// When the call is over.
    pub(super) fn end(&self) -> Timestamp {
        self.steps().last().map_or(self.started_at, |(at, _)| *at)
    }

    /// The call's way to its end.
    fn steps(&self) -> Vec<(Timestamp, CallStatus)> {
        let (mut steps, rings) = match self.direction {
            Direction::Outbound => (vec![(DIALS, CallStatus::Initiated)], RINGS),
            Direction::Inbound => (vec![(Duration::ZERO, CallStatus::Ringing)], Duration::ZERO),
        };
        let heard = match self.outcome {
            Outcome::Busy | Outcome::Failed => false,
            Outcome::Person | Outcome::Machine | Outcome::NoAnswer => true,
        };
        if heard && self.direction == Direction::Outbound {
            steps.push((rings, CallStatus::Ringing));
        }
        match self.outcome {
            Outcome::Busy => steps.push((rings + REFUSED, CallStatus::Busy)),
            Outcome::Failed => steps.push((rings + REFUSED, CallStatus::Failed)),
            Outcome::Person | Outcome::Machine if self.ring_for >= ANSWERED => {
                steps.push((rings + ANSWERED, CallStatus::InProgress));
                steps.push((rings + ANSWERED + TALK, CallStatus::Completed));
            }
            Outcome::Person | Outcome::Machine | Outcome::NoAnswer => {
                steps.push((rings + self.ring_for, CallStatus::NoAnswer));
            }
        }
        let mut steps: Vec<_> = steps
            .into_iter()
            .map(|(after, status)| (self.started_at.after(after), status))
            .collect();
        if let Some(hung_up_at) = self.hung_up_at {
            steps.retain(|(at, _)| *at <= hung_up_at);
            let answered = steps.iter().any(|(_, status)| *status == CallStatus::InProgress);
            let end = if answered { CallStatus::Completed } else { CallStatus::Canceled };
            steps.push((hung_up_at, end));
        }
        steps
    }

    /// Everything that is told of the call, in order.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut answered_at = None;
        for (sequence, (at, status)) in (0..).zip(self.steps()) {
            let mut progress = Progress::step(status, Some(sequence), Some(at));
            match status {
                CallStatus::InProgress => {
                    answered_at = Some(at);
                    progress.answered_by = self.answered_by();
                }
                CallStatus::Completed => {
                    progress.duration_seconds = answered_at.map(|since| seconds(at, since));
                }
                CallStatus::Failed => {
                    let message = "the number cannot be called".to_owned();
                    progress.failure = Some(CallFailure { code: "unreachable".into(), message });
                }
                CallStatus::Queued
                | CallStatus::Initiated
                | CallStatus::Ringing
                | CallStatus::Canceled
                | CallStatus::NoAnswer
                | CallStatus::Busy => {}
            }
            let incoming = sequence == 0 && self.direction == Direction::Inbound;
            let news = if incoming { News::Incoming(progress) } else { News::Step(progress) };
            notices.push(Notice { at, news });
        }
        if let Some(since) = answered_at.filter(|_| self.recorded) {
            self.record(since, &mut notices);
        }
        // Stable, and what was told of a call that is then hung up stays before what follows.
        notices.sort_by_key(|notice| notice.at);
        notices
    }

    fn record(&self, since: Timestamp, notices: &mut Vec<Notice>) {
        let recording = |status, duration_seconds| {
            let id = format!("{}-audio", self.id);
            News::Recording(CarrierRecording { id, status, duration_seconds, channels: Some(1) })
        };
        let end = self.end();
        let (status, duration) = match seconds(end, since) {
            0 => (RecordingStatus::Absent, None),
            talk => (RecordingStatus::Completed, Some(talk)),
        };
        // Right behind the answer, before all that a hang-up at the same time adds.
        let place = notices.iter().take_while(|notice| notice.at <= since).count();
        let place = if end == since { place.saturating_sub(1) } else { place };
        let running = recording(RecordingStatus::InProgress, None);
        notices.insert(place, Notice { at: since, news: running });
        notices.push(Notice { at: end.after(RECORDING_READY), news: recording(status, duration) });
    }

    fn answered_by(&self) -> Option<AnsweredBy> {
        let by = match self.outcome {
            Outcome::Person => AnsweredBy::Human,
            Outcome::Machine => AnsweredBy::Machine,
            Outcome::Busy | Outcome::NoAnswer | Outcome::Failed => return None,
        };
        self.detect_machine.then_some(by)
    }
}

fn seconds(at: Timestamp, since: Timestamp) -> u32 {
    u32::try_from(at.since(since).as_secs()).unwrap_or(u32::MAX)
}
