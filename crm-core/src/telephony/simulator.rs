//! A carrier that is none: it rings, answers and records by the clock it is given, for development,
//! demonstrations and tests.
//!
//! An outgoing call dials after 1 s, rings after 2 s, is answered after 5 s and over 10 s later; an
//! incoming one rings at once and is answered after 3 s. The last two digits of the other side's number
//! say what happens: `01` an answering machine, `02` busy, `03` no answer, `04` failed, all others a
//! person; a [`rule`](Simulator::rule) for the number goes before. A recording is a tone, ready 2 s after
//! the end.
//!
//! ```
//! use crm_core::telephony::{CarrierAccount, CarrierSecrets, Simulator, Telephony};
//! use crm_core::telephony::simulator::Outcome;
//! use crm_core::PhoneNumber;
//! let busy = PhoneNumber::from_e164("+14255550123").unwrap();
//! let simulator = Simulator::default().rule(busy, Outcome::Busy).twice();
//! let secrets = CarrierSecrets { auth_tokens: vec!["secret".into()], ..CarrierSecrets::default() };
//! simulator.check(&CarrierAccount::new("demo", secrets))?;
//! # Ok::<(), crm_core::Error>(())
//! ```

mod plan;
#[cfg(test)]
mod tests;
mod tone;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::plan::{Notice, Plan};
use super::port::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, OutgoingCall, ScriptStep,
    SoughtCall, Started, Telephony, Webhook, WebhookReply, WebhookRequest,
};
use crate::activities::Direction;
use crate::error::{Error, FieldError, Result};
use crate::identity::Secret;
use crate::phone::PhoneNumber;
use crate::ports::{Clock, SystemClock};
use crate::time::Timestamp;

/// Where calls are told of that came without an address for it.
const NO_ADDRESS: &str = "simulator:callback";

/// How long a call is remembered after its end.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest that a call rings, as with carriers.
const LONGEST_RING: Duration = Duration::from_secs(600);

/// What comes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A person answers.
    Person,
    /// An answering machine answers.
    Machine,
    /// The line is busy.
    Busy,
    /// Nobody answers, as long as it rings.
    NoAnswer,
    /// The call cannot be made.
    Failed,
}

impl Outcome {
    fn of(number: &PhoneNumber) -> Self {
        match number.as_str().as_bytes() {
            [.., b'0', b'1'] => Outcome::Machine,
            [.., b'0', b'2'] => Outcome::Busy,
            [.., b'0', b'3'] => Outcome::NoAnswer,
            [.., b'0', b'4'] => Outcome::Failed,
            _ => Outcome::Person,
        }
    }
}

/// The simulated carrier. Clones share their calls, so that a host can hand one to the CRM and let
/// [calls come in](Simulator::call_in) through another.
#[derive(Clone)]
pub struct Simulator {
    clock: Arc<dyn Clock>,
    rules: BTreeMap<PhoneNumber, Outcome>,
    shuffled_by: Option<u64>,
    twice: bool,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    calls: BTreeMap<String, Kept>,
    /// Calls that there were, for their names.
    count: u64,
    /// Batches of callbacks that were handed out, so that each is shuffled in its own way.
    batches: u64,
}

struct Kept {
    plan: Plan,
    /// The notices that were handed out.
    told: usize,
    /// When that was: the call cannot go back behind it.
    told_at: Timestamp,
    recording_deleted: bool,
}

impl Kept {
    fn at(&self, now: Timestamp) -> Timestamp {
        now.max(self.told_at)
    }

    fn recording(&self, now: Timestamp) -> Option<CarrierRecording> {
        self.plan.recording(self.at(now)).filter(|_| !self.recording_deleted)
    }
}

impl Default for Simulator {
    /// By the clock of the operating system.
    fn default() -> Self {
        Simulator::new(SystemClock)
    }
}

impl Simulator {
    /// A carrier without calls, whose time is that of `clock`.
    pub fn new(clock: impl Clock) -> Self {
        Simulator {
            clock: Arc::new(clock),
            rules: BTreeMap::new(),
            shuffled_by: None,
            twice: false,
            memory: Arc::default(),
        }
    }

    /// The same, where calls to and from this number end like this.
    #[must_use]
    pub fn rule(mut self, number: PhoneNumber, outcome: Outcome) -> Self {
        self.rules.insert(number, outcome);
        self
    }

    /// The same, where the callbacks of a batch come in an order that follows from `seed`.
    #[must_use]
    pub fn out_of_order(mut self, seed: u64) -> Self {
        self.shuffled_by = Some(seed);
        self
    }

    /// The same, where each callback comes twice.
    #[must_use]
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// Lets a call come in, with the number withheld where `from` is `None`, and returns its name. The
    /// next [callbacks](Telephony::take_callbacks) ask at `url`, which ends in `/voice` before its query,
    /// what to do; the call's way is told there without `/voice`. What is answered changes nothing.
    ///
    /// # Errors
    ///
    /// That of [`Telephony::check`].
    pub fn call_in(
        &self,
        account: &CarrierAccount,
        from: Option<PhoneNumber>,
        to: PhoneNumber,
        url: &str,
    ) -> Result<String> {
        let token = token_of(account)?;
        let outcome = from.as_ref().map_or(Outcome::Person, |from| self.outcome(from));
        let (address, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let steps = address.strip_suffix("/voice").unwrap_or(address);
        let plan = Plan {
            id: String::new(),
            account: account.name.clone(),
            token,
            direction: Direction::Inbound,
            from,
            to,
            started_at: self.clock.now(),
            outcome,
            detect_machine: false,
            ring_for: LONGEST_RING,
            recorded: false,
            hung_up_at: None,
            voice_url: url.to_owned(),
            url: format!("{steps}{query}"),
            recording_url: String::new(),
        };
        Ok(self.remember(plan).id)
    }

    fn outcome(&self, number: &PhoneNumber) -> Outcome {
        self.rules.get(number).copied().unwrap_or_else(|| Outcome::of(number))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, mut plan: Plan) -> CarrierCall {
        let now = plan.started_at;
        let mut memory = self.memory();
        memory.calls.retain(|_, kept| kept.plan.end().after(REMEMBERED) >= now);
        memory.count += 1;
        plan.id = format!("SIM{:014x}{:04x}", now.as_micros(), memory.count);
        let call = CarrierCall { id: plan.id.clone(), progress: plan.progress(now) };
        let kept = Kept { plan, told: 0, told_at: now, recording_deleted: false };
        memory.calls.insert(call.id.clone(), kept);
        call
    }

    /// What `ask` makes of the account's call that has this name or this recording.
    fn with<T>(
        &self,
        account: &CarrierAccount,
        call: &str,
        ask: impl FnOnce(&mut Kept, Timestamp) -> T,
    ) -> Result<T> {
        let now = self.clock.now();
        let mut memory = self.memory();
        let kept = memory.calls.get_mut(call).filter(|kept| kept.plan.account == account.name);
        Ok(ask(kept.ok_or_else(|| Error::not_found("call"))?, now))
    }
}

/// The token that the account's callbacks are signed with.
fn token_of(account: &CarrierAccount) -> Result<Secret> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let mut fields = Vec::new();
    if !(1..=64).contains(&account.name.len()) || !account.name.bytes().all(allowed) {
        let message = "the name of a simulated account has 1 to 64 of `A-Za-z0-9_-`";
        fields.push(FieldError::new("name", "invalid_account", message));
    }
    let tokens = &account.secrets.auth_tokens;
    if !(1..=2).contains(&tokens.len()) || tokens.iter().any(|token| token.reveal().is_empty()) {
        let message = "a simulated account has one or two tokens";
        fields.push(FieldError::new("secrets.auth_tokens", "invalid_tokens", message));
    }
    match tokens.first() {
        Some(token) if fields.is_empty() => Ok(token.clone()),
        Some(_) | None => Err(Error::invalid(fields)),
    }
}

#[async_trait]
impl Telephony for Simulator {
    fn provider(&self) -> &'static str {
        "simulator"
    }

    fn check(&self, account: &CarrierAccount) -> Result<()> {
        token_of(account).map(drop)
    }

    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        let token = token_of(account)?;
        let url = call.callback.clone().unwrap_or_else(|| NO_ADDRESS.to_owned());
        let connected = call.script.iter().find_map(|step| match step {
            ScriptStep::Connect { record: true, callback, .. } => Some(callback.clone()),
            ScriptStep::Connect { .. }
            | ScriptStep::Say { .. }
            | ScriptStep::Pause(_)
            | ScriptStep::Reject => None,
        });
        let plan = Plan {
            id: String::new(),
            account: account.name.clone(),
            token,
            direction: Direction::Outbound,
            from: Some(call.from.clone()),
            to: call.to.clone(),
            started_at: self.clock.now(),
            outcome: self.outcome(&call.to),
            detect_machine: call.detect_machine,
            ring_for: call.ring_for.min(LONGEST_RING),
            recorded: call.record || connected.is_some(),
            hung_up_at: None,
            voice_url: String::new(),
            recording_url: connected.flatten().unwrap_or_else(|| url.clone()),
            url,
        };
        Ok(Started::Placed(self.remember(plan)))
    }

    async fn find(
        &self,
        account: &CarrierAccount,
        sought: &SoughtCall,
    ) -> Result<Vec<CarrierCall>> {
        let now = self.clock.now();
        let memory = self.memory();
        let meant = |plan: &Plan| {
            plan.account == account.name
                && plan.direction == Direction::Outbound
                && plan.from.as_ref() == Some(&sought.from)
                && plan.to == sought.to
                && (sought.since..=sought.until).contains(&plan.started_at)
        };
        // Names begin with the time.
        Ok(memory
            .calls
            .values()
            .filter(|kept| meant(&kept.plan))
            .map(|kept| kept.plan.call(kept.at(now)))
            .collect())
    }

    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        self.with(account, call, |kept, now| kept.plan.call(kept.at(now)))
    }

    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        self.with(account, call, |kept, now| {
            let now = kept.at(now);
            if kept.plan.end() > now {
                kept.plan.hung_up_at = Some(now);
            }
            kept.plan.call(now)
        })
    }

    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>> {
        self.with(account, call, |kept, now| kept.recording(now).into_iter().collect())
    }

    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio> {
        let missing = || Error::not_found("recording");
        let call = plan::call_of(recording).ok_or_else(missing)?;
        let found = self.with(account, call, |kept, now| kept.recording(now));
        let found = found.map_err(|_| missing())?;
        // Only one that is complete has a length.
        Ok(tone::audio(found.and_then(|found| found.duration_seconds).ok_or_else(missing)?))
    }

    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()> {
        if let Some(call) = plan::call_of(recording) {
            // What is not there is deleted.
            let _ = self.with(account, call, |kept, _| kept.recording_deleted = true);
        }
        Ok(())
    }

    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        wire::account_of(request)
    }

    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        wire::verify(account, request)
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        wire::parse(request)
    }

    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply {
        wire::write_script(script)
    }

    fn take_callbacks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        let mut memory = self.memory();
        let mut due: Vec<(Timestamp, WebhookRequest)> = Vec::new();
        for kept in memory.calls.values_mut() {
            let notices = kept.plan.notices();
            let new = notices.iter().enumerate().skip(kept.told);
            let new = new.take_while(|(_, notice)| notice.at <= now);
            let request = |(place, notice): (usize, &Notice)| {
                (notice.at, wire::write(&kept.plan, place, &notice.news))
            };
            let before = due.len();
            due.extend(new.map(request));
            kept.told += due.len() - before;
            kept.told_at = kept.told_at.max(now);
        }
        // Stable: what a call tells at one time stays in its order.
        due.sort_by_key(|(at, _)| *at);
        let times = if self.twice { 2 } else { 1 };
        let repeated = due.into_iter().flat_map(|(_, one)| std::iter::repeat_n(one, times));
        let mut batch: Vec<WebhookRequest> = repeated.collect();
        if let Some(seed) = self.shuffled_by
            && !batch.is_empty()
        {
            memory.batches += 1;
            shuffle(&mut batch, seed ^ memory.batches.rotate_left(32));
        }
        batch
    }
}

/// Fisher and Yates, by the numbers of SplitMix64 (Steele, Lea, Flood, 2014).
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let other = (mixed ^ (mixed >> 31)) % (last as u64 + 1);
        items.swap(last, usize::try_from(other).unwrap_or_default());
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("rules", &self.rules)
            .field("calls", &self.memory().calls.len())
            .finish_non_exhaustive()
    }
}
