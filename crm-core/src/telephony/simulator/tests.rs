//! The simulated carrier by a clock that is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::StreamExt as _;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::calls::{AnsweredBy, CallStatus, Progress, RecordingStatus};
use crate::error::ErrorKind;
use crate::telephony::{CarrierSecrets, WebhookNews};

#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn advance(&self, millis: i64) -> Timestamp {
        self.0.fetch_add(millis * 1000, Ordering::SeqCst);
        self.now()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

fn simulator() -> (Simulator, TestClock) {
    let clock = TestClock(Arc::new(AtomicI64::new(1_800_000_000_000_000)));
    (Simulator::new(clock.clone()), clock)
}

fn account_with(tokens: &[&str]) -> CarrierAccount {
    let auth_tokens = tokens.iter().map(|token| (*token).into()).collect();
    CarrierAccount::new("demo", CarrierSecrets { auth_tokens, api_key: None })
}

fn account() -> CarrierAccount {
    account_with(&["first"])
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

const URL: &str = "https://crm.example/webhooks/simulator?call=1";

fn call_to(to: &str) -> OutgoingCall {
    OutgoingCall {
        to: number(to),
        from: number("+14255550199"),
        record: false,
        detect_machine: true,
        ring_for: Duration::from_secs(30),
        script: Vec::new(),
        callback: Some(URL.to_owned()),
    }
}

fn start(simulator: &Simulator, call: &OutgoingCall) -> CarrierCall {
    match block_on(simulator.start(&account(), call)).unwrap() {
        Started::Placed(call) => call,
        Started::Unknown(error) => panic!("{error:?}"),
    }
}

fn fetch(simulator: &Simulator, call: &str) -> Progress {
    block_on(simulator.fetch(&account(), call)).unwrap().progress
}

/// What is told by now, read and checked.
fn told(simulator: &Simulator, clock: &TestClock) -> Vec<Webhook> {
    let requests = simulator.take_callbacks(clock.now());
    let read = |request: &WebhookRequest| {
        simulator.verify(&account(), request).unwrap();
        assert_eq!(simulator.account_of(request).unwrap(), "demo");
        simulator.parse(request).unwrap()
    };
    requests.iter().map(read).collect()
}

fn statuses(webhooks: &[Webhook]) -> Vec<&'static str> {
    webhooks
        .iter()
        .map(|webhook| match &webhook.news {
            WebhookNews::Incoming { .. } => "incoming",
            WebhookNews::Call(call) => call.progress.status().as_str(),
            WebhookNews::Recording { recording, .. } => recording.status.as_str(),
            WebhookNews::Other => "other",
        })
        .collect()
}

#[test]
fn a_call_goes_its_way_by_the_clock() {
    let (simulator, clock) = simulator();
    let call = start(&simulator, &call_to("+14255550150"));
    assert_eq!(call.progress.status(), CallStatus::Queued);
    let mut known = Progress::default();
    let way = [(999, ""), (1, "initiated"), (1000, "ringing"), (2999, ""), (1, "in_progress")];
    for (millis, status) in way.into_iter().chain([(9_999, ""), (1, "completed"), (9_000, "")]) {
        clock.advance(millis);
        let told = told(&simulator, &clock);
        assert_eq!(statuses(&told).concat(), status);
        for webhook in told {
            let WebhookNews::Call(news) = webhook.news else { panic!("{webhook:?}") };
            assert_eq!(news.id, call.id);
            known = known.join(news.progress);
        }
        assert_eq!(fetch(&simulator, &call.id), known);
    }
    assert_eq!(known.duration_seconds, Some(10));
    assert_eq!(known.answered_by, Some(AnsweredBy::Human));
    assert_eq!(known.ended_at.unwrap().since(known.answered_at.unwrap()), Duration::from_secs(10));
}

#[test]
fn what_happens_follows_from_the_number_or_its_rule() {
    let (plain, clock) = simulator();
    let ruled = plain.clone().rule(number("+14255550102"), Outcome::Machine);
    let cases = [
        (&plain, "+14255550101", CallStatus::Completed, Some(AnsweredBy::Machine)),
        (&plain, "+14255550102", CallStatus::Busy, None),
        (&ruled, "+14255550102", CallStatus::Completed, Some(AnsweredBy::Machine)),
        (&plain, "+14255550103", CallStatus::NoAnswer, None),
        (&plain, "+14255550104", CallStatus::Failed, None),
        (&plain, "+14255550112", CallStatus::Completed, Some(AnsweredBy::Human)),
    ];
    for (simulator, to, status, by) in cases {
        let call = start(simulator, &call_to(to));
        clock.advance(31_999);
        if status == CallStatus::NoAnswer {
            assert_eq!(fetch(simulator, &call.id).status(), CallStatus::Ringing);
        }
        clock.advance(1);
        let progress = fetch(simulator, &call.id);
        assert_eq!((progress.status(), progress.answered_by), (status, by), "{to}");
        assert_eq!(progress.failure.is_some(), status == CallStatus::Failed);
    }
    let impatient = OutgoingCall { ring_for: Duration::from_secs(2), ..call_to("+14255550150") };
    let call = start(&plain, &impatient);
    clock.advance(4_000);
    assert_eq!(fetch(&plain, &call.id).status(), CallStatus::NoAnswer);
    let deaf = OutgoingCall { detect_machine: false, ..call_to("+14255550101") };
    let call = start(&plain, &deaf);
    clock.advance(20_000);
    assert_eq!(fetch(&plain, &call.id).answered_by, None);
}

#[test]
fn hanging_up_ends_a_call_once() {
    let (simulator, clock) = simulator();
    let hang_up = |call: &str| block_on(simulator.hang_up(&account(), call)).unwrap();
    for (millis, status) in
        [(0, "canceled"), (3_000, "canceled"), (5_000, "completed"), (7_500, "completed")]
    {
        let call = start(&simulator, &call_to("+14255550150"));
        clock.advance(millis);
        let before = told(&simulator, &clock);
        let over = hang_up(&call.id);
        assert_eq!(over.progress.status().as_str(), status);
        assert_eq!(statuses(&told(&simulator, &clock)), [status], "{before:?}");
        clock.advance(60_000);
        assert_eq!(hang_up(&call.id), over);
        assert_eq!(told(&simulator, &clock), []);
    }
    let call = start(&simulator, &call_to("+14255550102"));
    clock.advance(60_000);
    assert_eq!(hang_up(&call.id).progress.status(), CallStatus::Busy);
}

#[test]
fn a_recording_is_a_tone() {
    let (simulator, clock) = simulator();
    let call = start(&simulator, &OutgoingCall { record: true, ..call_to("+14255550150") });
    let recordings = || block_on(simulator.recordings(&account(), &call.id)).unwrap();
    clock.advance(4_999);
    assert_eq!(recordings(), []);
    clock.advance(1);
    let running = recordings().pop().unwrap();
    assert_eq!((running.status, running.duration_seconds), (RecordingStatus::InProgress, None));
    let audio = |id: &str| block_on(simulator.audio(&account(), id));
    assert_eq!(audio(&running.id).unwrap_err().kind(), ErrorKind::NotFound);
    clock.advance(12_000);
    let all = told(&simulator, &clock);
    let expected = ["initiated", "ringing", "in_progress", "in_progress", "completed", "completed"];
    assert_eq!(statuses(&all), expected);
    let ready = recordings().pop().unwrap();
    assert_eq!((ready.status, ready.duration_seconds), (RecordingStatus::Completed, Some(10)));
    let news = WebhookNews::Recording { call: call.id.clone(), recording: ready.clone() };
    assert_eq!(all.last().unwrap().news, news);

    let found = audio(&ready.id).unwrap();
    assert_eq!((found.content_type.as_str(), found.bytes), ("audio/x-wav", Some(160_044)));
    let pieces: Vec<_> = block_on(found.stream.collect::<Vec<_>>());
    let wav = pieces.into_iter().map(|piece| piece.unwrap().to_vec()).collect::<Vec<_>>().concat();
    assert_eq!(wav.len(), 160_044);
    let word = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
    assert_eq!((&wav[..4], word(4), &wav[8..16]), (&b"RIFF"[..], 160_036, &b"WAVEfmt "[..]));
    assert_eq!(
        (word(16), word(20), word(24), word(28), word(32)),
        (16, 0x1_0001, 8000, 16_000, 0x10_0002)
    );
    assert_eq!((&wav[36..40], word(40)), (&b"data"[..], 160_000));
    // A tone of 440 Hz rises through zero 440 times in a second.
    let samples: Vec<i16> =
        wav[44..].chunks(2).map(|two| i16::from_le_bytes(two.try_into().unwrap())).collect();
    let rises = samples[..8001].windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
    assert!((439..=440).contains(&rises), "{rises}");

    for _ in 0..2 {
        block_on(simulator.delete_recording(&account(), &ready.id)).unwrap();
        assert_eq!(recordings(), []);
        assert_eq!(audio(&ready.id).unwrap_err().kind(), ErrorKind::NotFound);
    }
    block_on(simulator.delete_recording(&account(), "unknown")).unwrap();
}

#[test]
fn a_recording_that_would_be_empty_is_absent() {
    let (simulator, clock) = simulator();
    let call = start(&simulator, &OutgoingCall { record: true, ..call_to("+14255550150") });
    clock.advance(5_000);
    told(&simulator, &clock);
    block_on(simulator.hang_up(&account(), &call.id)).unwrap();
    clock.advance(2_000);
    assert_eq!(statuses(&told(&simulator, &clock)), ["completed", "absent"]);
}

#[test]
fn a_connection_is_recorded_and_told_of_at_its_own_address() {
    let (simulator, clock) = simulator();
    let connect = ScriptStep::Connect {
        to: number("+14255550160"),
        caller_id: None,
        record: true,
        callback: Some("https://crm.example/recordings".to_owned()),
    };
    start(&simulator, &OutgoingCall { script: vec![connect], ..call_to("+14255550150") });
    clock.advance(20_000);
    let requests = simulator.take_callbacks(clock.now());
    let urls: Vec<&str> = requests.iter().map(|request| request.url.as_str()).collect();
    let own = "https://crm.example/recordings";
    assert_eq!(urls, [URL, URL, URL, own, URL, own]);
}

#[test]
fn calls_come_in() {
    let (simulator, clock) = simulator();
    let url = "https://crm.example/webhooks/simulator/voice?account=7";
    let (from, to) = (number("+14255550150"), number("+14255550199"));
    let id = simulator.call_in(&account(), Some(from.clone()), to.clone(), url).unwrap();
    let first = simulator.take_callbacks(clock.now());
    assert_eq!(first.iter().map(|one| one.url.as_str()).collect::<Vec<_>>(), [url]);
    let news = simulator.parse(&first[0]).unwrap().news;
    let call = CarrierCall { id: id.clone(), progress: fetch(&simulator, &id) };
    assert_eq!(call.progress.status(), CallStatus::Ringing);
    assert_eq!(news, WebhookNews::Incoming { call, from: Some(from), to: to.clone() });
    clock.advance(13_000);
    let rest = simulator.take_callbacks(clock.now());
    assert_eq!(rest.len(), 2);
    for request in &rest {
        assert_eq!(request.url, "https://crm.example/webhooks/simulator?account=7");
    }
    assert_eq!(fetch(&simulator, &id).status(), CallStatus::Completed);
    simulator.call_in(&account(), None, to, url).unwrap();
    let withheld = told(&simulator, &clock).pop().unwrap().news;
    assert!(matches!(withheld, WebhookNews::Incoming { from: None, .. }), "{withheld:?}");
}

#[test]
fn callbacks_come_out_of_order_and_twice_when_told_to() {
    let tokens = |simulator: &Simulator, clock: &TestClock| -> Vec<String> {
        told(simulator, clock).into_iter().map(|webhook| webhook.token.unwrap()).collect()
    };
    let orders = |seed: u64| {
        let (simulator, clock) = simulator();
        let simulator = simulator.out_of_order(seed).twice();
        let recorded = OutgoingCall { record: true, ..call_to("+14255550150") };
        start(&simulator, &recorded);
        clock.advance(60_000);
        tokens(&simulator, &clock)
    };
    let (one, same, other) = (orders(1), orders(1), orders(2));
    assert_eq!(one, same);
    assert_ne!(one, other);
    let mut sorted = one.clone();
    sorted.sort();
    assert_ne!(one, sorted);
    assert_eq!(sorted.len(), 12);
    assert!(sorted.chunks(2).all(|two| two[0] == two[1]));
    sorted.dedup();
    assert_eq!(sorted.len(), 6);
}

#[test]
fn a_request_is_signed_with_one_of_the_tokens() {
    let (simulator, clock) = simulator();
    start(&simulator, &call_to("+14255550150"));
    clock.advance(1_000);
    let request = simulator.take_callbacks(clock.now()).pop().unwrap();
    let good = |account: &CarrierAccount, request: &WebhookRequest| match simulator
        .verify(account, request)
    {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::Forbidden => false,
        Err(error) => panic!("{error:?}"),
    };
    assert!(good(&account(), &request));
    assert!(good(&account_with(&["second", "first"]), &request));
    assert!(!good(&account_with(&["second"]), &request));
    assert!(!good(&account_with(&[]), &request));
    assert!(!good(&CarrierAccount { name: "other".into(), ..account() }, &request));
    let mut bare = request.clone();
    bare.headers.pop();
    assert!(!good(&account(), &bare));
    assert!(!good(
        &account(),
        &WebhookRequest { url: "https://x.example".into(), ..request.clone() }
    ));
    let longer = [&request.body[..], b"&x=1"].concat().into();
    assert!(!good(&account(), &WebhookRequest { body: longer, ..request }));
}

#[test]
fn calls_are_found_by_their_numbers_and_their_time() {
    let (simulator, clock) = simulator();
    let since = clock.now();
    let first = start(&simulator, &call_to("+14255550150"));
    let until = clock.advance(1_000);
    let second = start(&simulator, &call_to("+14255550150"));
    start(&simulator, &call_to("+14255550151"));
    clock.advance(1_000);
    start(&simulator, &call_to("+14255550150"));
    let (to, from) = (number("+14255550150"), number("+14255550199"));
    let sought = SoughtCall { to, from, since, until };
    let found = |account: &CarrierAccount, sought: &SoughtCall| -> Vec<String> {
        let found = block_on(simulator.find(account, sought)).unwrap();
        found.into_iter().map(|call| call.id).collect()
    };
    assert_eq!(found(&account(), &sought), [first.id, second.id.clone()]);
    let later = SoughtCall { since: until, ..sought.clone() };
    assert_eq!(found(&account(), &later), [second.id]);
    let backwards = SoughtCall { to: sought.from.clone(), from: sought.to.clone(), ..later };
    assert_eq!(found(&account(), &backwards), [""; 0]);
    assert_eq!(found(&CarrierAccount { name: "other".into(), ..account() }, &sought), [""; 0]);
}

#[test]
fn calls_are_the_accounts_own_and_forgotten_after_a_day() {
    let (simulator, clock) = simulator();
    let old = start(&simulator, &call_to("+14255550150"));
    let kind = |account: &CarrierAccount, call: &str| {
        block_on(simulator.fetch(account, call)).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(kind(&account(), "SIM"), Err(ErrorKind::NotFound));
    let other = CarrierAccount { name: "other".into(), ..account() };
    assert_eq!(kind(&other, &old.id), Err(ErrorKind::NotFound));
    clock.advance(15_000 + 24 * 60 * 60 * 1000);
    start(&simulator, &call_to("+14255550150"));
    assert_eq!(kind(&account(), &old.id), Ok(()));
    clock.advance(1);
    let new = start(&simulator, &call_to("+14255550150"));
    assert_eq!(kind(&account(), &old.id), Err(ErrorKind::NotFound));
    assert_eq!(kind(&account(), &new.id), Ok(()));
}

#[test]
fn an_account_has_a_name_and_one_or_two_tokens() {
    let (simulator, _) = simulator();
    assert!(simulator.check(&account_with(&["one", "two"])).is_ok());
    for account in [account_with(&[]), account_with(&["1", "2", "3"]), account_with(&[""])] {
        let error = simulator.check(&account).unwrap_err();
        assert_eq!(error.fields()[0].field, "secrets.auth_tokens");
    }
    for name in ["", "a b", &"a".repeat(65)] {
        let error = simulator.check(&CarrierAccount { name: name.into(), ..account() });
        assert_eq!(error.unwrap_err().fields()[0].field, "name");
    }
    assert!(block_on(simulator.start(&account_with(&[]), &call_to("+14255550150"))).is_err());
}

#[test]
fn a_script_is_written_in_lines() {
    let (simulator, _) = simulator();
    let script = [
        ScriptStep::Say { text: "Grüß\nGott & Co".into(), language: Some("de".into()) },
        ScriptStep::Pause(Duration::from_secs(2)),
        ScriptStep::Reject,
    ];
    let reply = simulator.write_script(&script);
    assert_eq!(reply.body, "say=Gr%C3%BC%C3%9F%0AGott%20%26%20Co&language=de\npause=2\nreject\n");
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let (simulator, _) = simulator();
        let request = WebhookRequest { url: URL.into(), headers: vec![], body: body.into() };
        let kind = simulator.parse(&request).map_err(|error| error.kind());
        prop_assert!(kind.is_ok() || kind == Err(ErrorKind::Malformed));
        prop_assert!(simulator.verify(&account(), &request).is_err());
    }

    /// Whenever it is looked, taken or hung up: what was told agrees with what is fetched.
    #[test]
    fn callbacks_agree_with_what_is_fetched(
        last in 0_u8..6,
        ring_for in 0_u64..40,
        moves in proptest::collection::vec((0_i64..9_000, any::<bool>(), prop::bool::weighted(0.1)), 1..20),
    ) {
        let (simulator, clock) = simulator();
        let call = OutgoingCall {
            ring_for: Duration::from_secs(ring_for),
            record: true,
            ..call_to(&format!("+142555501{last:02}"))
        };
        let id = start(&simulator, &call).id;
        let mut known = Progress::default();
        let mut tokens = std::collections::BTreeSet::new();
        for (millis, look, hang_up) in moves.into_iter().chain([(60_000, true, false)]) {
            clock.advance(millis);
            if hang_up {
                let over = block_on(simulator.hang_up(&account(), &id)).unwrap().progress;
                prop_assert!(over.status().is_end());
            }
            if look {
                for webhook in told(&simulator, &clock) {
                    prop_assert!(tokens.insert(webhook.token));
                    if let WebhookNews::Call(call) = webhook.news {
                        known = known.join(call.progress);
                    }
                }
                prop_assert_eq!(fetch(&simulator, &id), known.clone());
            }
        }
        prop_assert!(known.status().is_end());
    }
}
