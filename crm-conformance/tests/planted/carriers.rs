//! The simulated carrier with a fault each.

use std::sync::Mutex;

use async_trait::async_trait;
use crm_conformance::{CarrierFactory, Configuration, FreshCarrier, TestClock};
use crm_core::calls::{CallStatus, Progress};
use crm_core::telephony::{
    CarrierAccount, CarrierAudio, CarrierCall, CarrierRecording, CarrierSecrets, OutgoingCall,
    ScriptStep, Simulator, SoughtCall, Started, Telephony, Webhook, WebhookReply, WebhookRequest,
};
use crm_core::{PhoneNumber, Result, Timestamp};
use futures::StreamExt as _;

/// What is wrong with the carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: the wrapper itself is right.
    None,
    /// Any account will do.
    TakesAnyAccount,
    /// Every call is the same one.
    NamesCallsAlike,
    /// No call is ever answered.
    NeverAnswered,
    /// Every call is found, whenever it was made.
    FindsAll,
    /// A call that never was is queued.
    InventsCalls,
    /// A hang-up is answered, and does nothing.
    IgnoresHangUps,
    /// A second hang-up changes the end.
    EndsTwice,
    /// The audio ends early.
    CutsAudio,
    /// Deleting a recording does nothing.
    KeepsRecordings,
    /// Whatever is signed is right.
    TrustsEverything,
    /// What was told is told again.
    RepeatsCallbacks,
}

const CAUGHT_BY: &[(&str, Fault)] = &[
    ("an_account_without_secrets_is_refused", Fault::TakesAnyAccount),
    ("a_started_call_is_fetched", Fault::NamesCallsAlike),
    ("a_call_is_answered_and_ends", Fault::NeverAnswered),
    ("a_started_call_is_found_by_its_numbers", Fault::FindsAll),
    ("an_unknown_call_is_not_found", Fault::InventsCalls),
    ("a_call_that_is_hung_up_ends", Fault::IgnoresHangUps),
    ("hanging_up_twice_is_once", Fault::EndsTwice),
    ("a_recorded_call_has_its_audio", Fault::CutsAudio),
    ("a_deleted_recording_is_gone", Fault::KeepsRecordings),
    ("callbacks_are_signed", Fault::TrustsEverything),
    ("callbacks_agree_with_the_call", Fault::RepeatsCallbacks),
];

struct Planted {
    inner: Simulator,
    fault: Fault,
    first: Mutex<Option<CarrierCall>>,
    told: Mutex<Vec<WebhookRequest>>,
    hang_ups: Mutex<u32>,
}

#[async_trait]
impl Telephony for Planted {
    fn provider(&self) -> &'static str {
        self.inner.provider()
    }

    fn check(&self, account: &CarrierAccount) -> Result<()> {
        if self.fault == Fault::TakesAnyAccount {
            return Ok(());
        }
        self.inner.check(account)
    }

    async fn start(&self, account: &CarrierAccount, call: &OutgoingCall) -> Result<Started> {
        let mut call = call.clone();
        if self.fault == Fault::NeverAnswered {
            call.ring_for = std::time::Duration::ZERO;
        }
        let Started::Placed(placed) = self.inner.start(account, &call).await? else {
            panic!("the simulator always answers");
        };
        let mut first = self.first.lock().unwrap();
        let first = first.get_or_insert_with(|| placed.clone());
        let alike = self.fault == Fault::NamesCallsAlike;
        Ok(Started::Placed(if alike { first.clone() } else { placed }))
    }

    async fn find(
        &self,
        account: &CarrierAccount,
        sought: &SoughtCall,
    ) -> Result<Vec<CarrierCall>> {
        let mut sought = sought.clone();
        if self.fault == Fault::FindsAll {
            sought.since = Timestamp::MIN;
        }
        self.inner.find(account, &sought).await
    }

    async fn fetch(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        let found = self.inner.fetch(account, call).await;
        if self.fault == Fault::InventsCalls && found.is_err() {
            return Ok(CarrierCall { id: call.to_owned(), progress: Progress::default() });
        }
        found
    }

    async fn hang_up(&self, account: &CarrierAccount, call: &str) -> Result<CarrierCall> {
        if self.fault == Fault::IgnoresHangUps {
            return self.inner.fetch(account, call).await;
        }
        let mut over = self.inner.hang_up(account, call).await?;
        let mut hang_ups = self.hang_ups.lock().unwrap();
        *hang_ups += 1;
        if self.fault == Fault::EndsTwice && *hang_ups > 1 {
            over.progress =
                over.progress.join(Progress::step(CallStatus::Completed, Some(9), None));
        }
        Ok(over)
    }

    async fn recordings(
        &self,
        account: &CarrierAccount,
        call: &str,
    ) -> Result<Vec<CarrierRecording>> {
        self.inner.recordings(account, call).await
    }

    async fn audio(&self, account: &CarrierAccount, recording: &str) -> Result<CarrierAudio> {
        let mut audio = self.inner.audio(account, recording).await?;
        if self.fault == Fault::CutsAudio {
            audio.stream = audio.stream.take(2).boxed();
        }
        Ok(audio)
    }

    async fn delete_recording(&self, account: &CarrierAccount, recording: &str) -> Result<()> {
        if self.fault == Fault::KeepsRecordings {
            return Ok(());
        }
        self.inner.delete_recording(account, recording).await
    }

    fn account_of(&self, request: &WebhookRequest) -> Option<String> {
        self.inner.account_of(request)
    }

    fn verify(&self, account: &CarrierAccount, request: &WebhookRequest) -> Result<()> {
        if self.fault == Fault::TrustsEverything {
            return Ok(());
        }
        self.inner.verify(account, request)
    }

    fn parse(&self, request: &WebhookRequest) -> Result<Webhook> {
        self.inner.parse(request)
    }

    fn write_script(&self, script: &[ScriptStep]) -> WebhookReply {
        self.inner.write_script(script)
    }

    fn take_callbacks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        let new = self.inner.take_callbacks(now);
        if self.fault != Fault::RepeatsCallbacks {
            return new;
        }
        let mut told = self.told.lock().unwrap();
        told.extend(new);
        told.clone()
    }
}

struct With(Fault);

#[async_trait]
impl CarrierFactory for With {
    async fn fresh(&self) -> Result<FreshCarrier> {
        let clock = TestClock::default();
        let carrier = Planted {
            inner: Simulator::new(clock.clone()),
            fault: self.0,
            first: Mutex::default(),
            told: Mutex::default(),
            hang_ups: Mutex::default(),
        };
        let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
        let account = CarrierAccount::new("simulated", secrets);
        let number = |text| PhoneNumber::from_e164(text).unwrap();
        let (own, answers) = (number("+14255550199"), number("+14255550150"));
        Ok(FreshCarrier::new(carrier, clock, account, own, answers))
    }
}

#[test]
fn every_case_of_carriers_catches_its_fault() {
    let faults: Vec<(&str, Configuration)> = CAUGHT_BY
        .iter()
        .map(|(case, fault)| (*case, Configuration::carrier("planted", With(*fault))))
        .collect();
    crate::every_fault_is_caught(&Configuration::carrier("planted", With(Fault::None)), &faults);
}
