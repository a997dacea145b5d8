//! The telephone system of an office, in its own words. It stands for whatever you have: its library, or a client
//! of its API. It cannot call us, so its news are fetched.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crm_core::Timestamp;
use crm_core::ports::Clock;
use serde::{Deserialize, Serialize};

/// What happens on a line, and after how many seconds: each is answered, and talks for ten seconds.
const COURSE: [(Event, u64); 4] =
    [(Event::Dialled, 0), (Event::Ringing, 2), (Event::Answered, 5), (Event::Ended, 15)];

/// Something that happens on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The number is dialled.
    Dialled,
    /// It rings there.
    Ringing,
    /// Somebody has answered.
    Answered,
    /// Either side has hung up.
    Ended,
    /// The caller has hung up before anybody answered.
    GivenUp,
}

/// What is dialled.
#[derive(Debug, Clone)]
pub struct Dial {
    /// Whose line it is.
    pub owner: String,
    /// The owner's password, which reports are signed with.
    pub password: String,
    /// Who calls.
    pub caller: String,
    /// Who is called.
    pub called: String,
    /// Whether what is said can be played again, after the end.
    pub taped: bool,
    /// Where the owner wants to be told.
    pub report_to: String,
}

/// A line, from one number to another.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, which no other has.
    pub number: usize,
    /// What was dialled.
    pub dial: Dial,
    /// When.
    pub dialled_at: Timestamp,
    hung_up_at: Option<Timestamp>,
    told: usize,
}

impl Line {
    /// What has happened by `now`, and when.
    pub fn events(&self, now: Timestamp) -> Vec<(Event, Timestamp)> {
        let course = COURSE
            .iter()
            .map(|(event, seconds)| (*event, self.dialled_at.after(Duration::from_secs(*seconds))));
        let end = self.hung_up_at.unwrap_or(now).min(now);
        let mut events: Vec<_> = course.filter(|(_, at)| *at <= end).collect();
        if let Some(at) = self.hung_up_at {
            let answered = events.iter().any(|(event, _)| *event == Event::Answered);
            events.push((if answered { Event::Ended } else { Event::GivenUp }, at));
        }
        events
    }

    /// Whether it is over by `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let last = self.events(now).last().map(|(event, _)| *event);
        matches!(last, Some(Event::Ended | Event::GivenUp))
    }

    /// For how long they had talked by `now`.
    pub fn talked(&self, now: Timestamp) -> Option<Duration> {
        let events = self.events(now);
        let at = |sought| events.iter().find(|(event, _)| *event == sought).map(|(_, at)| *at);
        Some(at(Event::Ended)?.since(at(Event::Answered)?))
    }
}

/// What the switchboard has to report: the line, and the number of the event on it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The line.
    pub line: Line,
    /// Which of its events this is.
    pub place: u32,
    /// What has happened.
    pub event: Event,
    /// When it did.
    pub at: Timestamp,
}

/// The switchboard.
pub struct Switchboard {
    clock: Arc<dyn Clock>,
    lines: Mutex<Vec<Line>>,
}

impl Switchboard {
    /// A switchboard without lines, by this clock.
    pub fn new(clock: impl Clock) -> Self {
        Switchboard { clock: Arc::new(clock), lines: Mutex::default() }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Dials.
    pub fn dial(&self, dial: Dial) -> Line {
        let mut lines = self.lines();
        let (number, dialled_at) = (lines.len() + 1, self.now());
        let line = Line { number, dial, dialled_at, hung_up_at: None, told: 0 };
        lines.push(line.clone());
        line
    }

    /// The owner's lines.
    pub fn lines_of(&self, owner: &str) -> Vec<Line> {
        self.lines().iter().filter(|line| line.dial.owner == owner).cloned().collect()
    }

    /// Hangs up, where somebody still talks.
    pub fn hang_up(&self, number: usize) {
        self.change(number, |line, now| {
            if !line.is_over(now) {
                line.hung_up_at = Some(now);
            }
        });
    }

    /// What was said: a second of silence for each second (8,000 samples of mu-law).
    pub fn tape(&self, line: &Line) -> Vec<u8> {
        let seconds = line.talked(self.now()).unwrap_or_default().as_secs();
        (0..seconds * 8000).map(|_| 0xff).collect()
    }

    /// Throws the tape away.
    pub fn erase_tape(&self, number: usize) {
        self.change(number, |line, _| line.dial.taped = false);
    }

    /// What has happened by `now` and was not reported yet.
    pub fn reports(&self, now: Timestamp) -> Vec<Report> {
        let mut reports = Vec::new();
        for line in self.lines().iter_mut() {
            for ((event, at), place) in line.events(now).into_iter().zip(0..).skip(line.told) {
                line.told += 1;
                reports.push(Report { line: line.clone(), place, event, at });
            }
        }
        reports
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Line, Timestamp)) {
        let now = self.now();
        if let Some(line) = self.lines().iter_mut().find(|line| line.number == number) {
            change(line, now);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
