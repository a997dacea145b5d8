//! Carriers of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use crm_core::calls::{CallStatus, Progress, RecordingStatus};
use crm_core::telephony::{
    CarrierAccount, CarrierCall, CarrierSecrets, OutgoingCall, SoughtCall, Started, Webhook,
    WebhookNews, WebhookRequest,
};
use crm_core::{ErrorKind, PhoneNumber, Timestamp};
use futures::TryStreamExt as _;

use crate::case::cases;
use crate::env::{CarrierEnv, refused};

const SECOND: Duration = Duration::from_secs(1);
/// As long as a call takes to be answered, or to end, at most.
const PATIENCE: usize = 180;

impl CarrierEnv {
    fn call(&self) -> OutgoingCall {
        OutgoingCall {
            to: self.answers.clone(),
            from: self.number.clone(),
            record: false,
            detect_machine: false,
            ring_for: Duration::from_secs(60),
            script: Vec::new(),
            callback: Some("https://crm.example/webhooks?call=1".to_owned()),
        }
    }

    async fn start(&self, call: &OutgoingCall) -> CarrierCall {
        match self.carrier.start(&self.account, call).await.unwrap() {
            Started::Placed(call) => call,
            Started::Unknown(error) => panic!("the answer was lost: {error:?}"),
        }
    }

    async fn fetch(&self, call: &str) -> CarrierCall {
        self.carrier.fetch(&self.account, call).await.unwrap()
    }

    /// Lets time pass until the call is as far as `status`, and says how far it is.
    async fn wait_for(&self, call: &str, status: CallStatus) -> Progress {
        for _ in 0..PATIENCE {
            let progress = self.fetch(call).await.progress;
            if progress.status() >= status {
                return progress;
            }
            self.time.pass(SECOND).await;
        }
        panic!("the call does not become {status}");
    }

    async fn recorded(&self) -> (String, String) {
        let call = self.start(&OutgoingCall { record: true, ..self.call() }).await.id;
        self.wait_for(&call, CallStatus::Completed).await;
        for _ in 0..PATIENCE {
            let recordings = self.carrier.recordings(&self.account, &call).await.unwrap();
            for recording in &recordings {
                if recording.status == RecordingStatus::Completed {
                    assert!(recording.duration_seconds >= Some(1), "{recording:?}");
                    return (call, recording.id.clone());
                }
            }
            self.time.pass(SECOND).await;
        }
        panic!("the recording does not become ready");
    }

    /// Who has called whom and when, as one that is looked for.
    fn sought(&self, since: Timestamp) -> SoughtCall {
        let (to, from) = (self.answers.clone(), self.number.clone());
        SoughtCall { to, from, since, until: self.time.now() }
    }

    async fn found(&self, sought: &SoughtCall) -> Vec<String> {
        let found = self.carrier.find(&self.account, sought).await.unwrap();
        found.into_iter().map(|call| call.id).collect()
    }

    fn callbacks(&self) -> Vec<WebhookRequest> {
        self.carrier.take_callbacks(self.time.now())
    }
}

cases! {
    async fn an_account_without_secrets_is_refused(env: &CarrierEnv) {
        env.carrier.check(&env.account).unwrap();
        let bare = CarrierAccount::new(env.account.name.clone(), CarrierSecrets::default());
        assert!(!refused(env.carrier.check(&bare), ErrorKind::Invalid).fields().is_empty());
        let nameless = CarrierAccount::new("", env.account.secrets.clone());
        assert!(!refused(env.carrier.check(&nameless), ErrorKind::Invalid).fields().is_empty());
    }

    async fn a_started_call_is_fetched(env: &CarrierEnv) {
        let [one, other] = [env.start(&env.call()).await, env.start(&env.call()).await];
        assert_ne!(one.id, other.id);
        assert_eq!(env.fetch(&one.id).await.id, one.id);
        assert!(!env.fetch(&one.id).await.progress.status().is_end());
    }

    async fn a_call_is_answered_and_ends(env: &CarrierEnv) {
        let call = env.start(&env.call()).await.id;
        let answered = env.wait_for(&call, CallStatus::InProgress).await;
        assert_eq!(answered.status(), CallStatus::InProgress);
        let over = env.wait_for(&call, CallStatus::Completed).await;
        assert_eq!(over.status(), CallStatus::Completed);
        assert!(over.duration_seconds >= Some(1), "{over:?}");
        assert!(over.ended_at.is_some(), "{over:?}");
        env.time.pass(60 * SECOND).await;
        assert_eq!(env.fetch(&call).await.progress, over, "what is over stays as it is");
    }

    async fn a_started_call_is_found_by_its_numbers(env: &CarrierEnv) {
        let since = env.time.now();
        let first = env.start(&env.call()).await.id;
        env.time.pass(2 * SECOND).await;
        let second = env.start(&env.call()).await.id;
        assert_eq!(env.found(&env.sought(since)).await, [first, second]);
        let other = PhoneNumber::from_e164("+14255550177").unwrap();
        let none: [&str; 0] = [];
        assert_eq!(env.found(&SoughtCall { to: other, ..env.sought(since) }).await, none);
        env.time.pass(3600 * SECOND).await;
        assert_eq!(env.found(&env.sought(since.after(1800 * SECOND))).await, none);
    }

    async fn an_unknown_call_is_not_found(env: &CarrierEnv) {
        env.start(&env.call()).await;
        let unknown = "CA00000000000000000000000000000000";
        refused(env.carrier.fetch(&env.account, unknown).await, ErrorKind::NotFound);
        refused(env.carrier.hang_up(&env.account, unknown).await, ErrorKind::NotFound);
    }

    async fn a_call_that_is_hung_up_ends(env: &CarrierEnv) {
        let [early, late] = [env.start(&env.call()).await.id, env.start(&env.call()).await.id];
        env.carrier.hang_up(&env.account, &early).await.unwrap();
        let progress = env.wait_for(&early, CallStatus::Failed).await;
        assert_eq!(progress.status(), CallStatus::Canceled, "nobody had answered");
        env.wait_for(&late, CallStatus::InProgress).await;
        env.carrier.hang_up(&env.account, &late).await.unwrap();
        assert_eq!(env.fetch(&late).await.progress.status(), CallStatus::Completed);
        env.time.pass(60 * SECOND).await;
        assert_eq!(env.fetch(&early).await.progress.status(), CallStatus::Canceled);
    }

    async fn hanging_up_twice_is_once(env: &CarrierEnv) {
        let call = env.start(&env.call()).await.id;
        let once = env.carrier.hang_up(&env.account, &call).await.unwrap();
        env.time.pass(5 * SECOND).await;
        let twice = env.carrier.hang_up(&env.account, &call).await.unwrap();
        assert_eq!(once, twice);
        let call = env.start(&env.call()).await.id;
        let over = env.wait_for(&call, CallStatus::Completed).await;
        env.time.pass(5 * SECOND).await;
        let after = env.carrier.hang_up(&env.account, &call).await.unwrap();
        assert_eq!(after.progress, over, "one that is over is left as it is");
    }

    async fn a_recorded_call_has_its_audio(env: &CarrierEnv) {
        let (_, recording) = env.recorded().await;
        let audio = env.carrier.audio(&env.account, &recording).await.unwrap();
        assert!(audio.content_type.starts_with("audio/"), "{audio:?}");
        let promised = audio.bytes;
        let pieces: Vec<_> = audio.stream.try_collect().await.unwrap();
        let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        assert!(bytes > 0);
        assert_eq!(promised.unwrap_or(bytes), bytes);
        let silent = env.start(&env.call()).await.id;
        env.wait_for(&silent, CallStatus::Completed).await;
        env.time.pass(60 * SECOND).await;
        assert_eq!(env.carrier.recordings(&env.account, &silent).await.unwrap(), []);
    }

    async fn a_deleted_recording_is_gone(env: &CarrierEnv) {
        let (call, recording) = env.recorded().await;
        for _ in 0..2 {
            env.carrier.delete_recording(&env.account, &recording).await.unwrap();
            refused(env.carrier.audio(&env.account, &recording).await, ErrorKind::NotFound);
        }
        let left = env.carrier.recordings(&env.account, &call).await.unwrap();
        assert!(left.iter().all(|left| left.id != recording), "{left:?}");
    }

    /// A carrier that calls us itself has none to take here: its own tests prove it with real requests.
    async fn callbacks_are_signed(env: &CarrierEnv) {
        env.recorded().await;
        let mut other = env.account.clone();
        other.secrets.auth_tokens = vec!["another".into()];
        let mut rotated = other.clone();
        rotated.secrets.auth_tokens.extend(env.account.secrets.auth_tokens.clone());
        for request in env.callbacks() {
            assert_eq!(env.carrier.account_of(&request), Some(env.account.name.clone()));
            env.carrier.verify(&env.account, &request).unwrap();
            env.carrier.verify(&rotated, &request).unwrap();
            refused(env.carrier.verify(&other, &request), ErrorKind::Forbidden);
            let moved = WebhookRequest { url: format!("{}2", request.url), ..request.clone() };
            refused(env.carrier.verify(&env.account, &moved), ErrorKind::Forbidden);
            let body = [&request.body, &b"&more=1"[..]].concat().into();
            let altered = WebhookRequest { body, ..request.clone() };
            refused(env.carrier.verify(&env.account, &altered), ErrorKind::Forbidden);
            let bare = WebhookRequest { headers: Vec::new(), ..request };
            refused(env.carrier.verify(&env.account, &bare), ErrorKind::Forbidden);
        }
    }

    async fn callbacks_agree_with_the_call(env: &CarrierEnv) {
        let call = env.start(&OutgoingCall { record: true, ..env.call() }).await.id;
        let (mut known, mut seen) = (Progress::default(), BTreeMap::<_, Webhook>::new());
        let mut count = 0;
        for _ in 0..PATIENCE {
            env.time.pass(SECOND).await;
            for request in env.callbacks() {
                count += 1;
                let webhook = env.carrier.parse(&request).unwrap();
                assert_eq!(env.carrier.parse(&request).unwrap(), webhook);
                if let WebhookNews::Call(told) = &webhook.news {
                    assert_eq!(told.id, call);
                    known = known.join(told.progress.clone());
                }
                if let Some(token) = webhook.token.clone() {
                    let before = seen.insert(token, webhook.clone());
                    assert_eq!(before.unwrap_or_else(|| webhook.clone()), webhook);
                }
            }
            if count > 0 {
                assert_eq!(known.status(), env.fetch(&call).await.progress.status());
            }
        }
        assert_eq!(env.callbacks(), [], "each is told once, or twice at once");
    }
}
