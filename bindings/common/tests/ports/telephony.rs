//! A carrier that hangs, raises, or says what it should not.

use std::sync::Arc;
use std::time::Duration;

use crm_core::telephony::{
    CarrierAccount, CarrierSecrets, OutgoingCall, Started, Telephony as _, WebhookReply,
    WebhookRequest,
};
use crm_core::{Error, ErrorKind, FieldError, PhoneNumber, Timestamp};
use crm_embed::ports::{
    Host, HostError, HostTelephony, HostValue, TimeLimits, prove_telephony, raised, within,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::runtime::Handle;

use crate::hosts::carrier::HostedCarrier;
use crate::hosts::{object, of_json};
use crate::scripted::{Exception, Scripted};

fn carrier(host: Arc<dyn Host>) -> HostTelephony {
    HostTelephony::new("hosted", host, TimeLimits::default()).unwrap()
}

fn account() -> CarrierAccount {
    let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
    CarrierAccount::new("hosted", secrets)
}

fn call() -> OutgoingCall {
    let number = |text| PhoneNumber::from_e164(text).unwrap();
    OutgoingCall {
        to: number("+14255550150"),
        from: number("+14255550199"),
        record: false,
        detect_machine: false,
        ring_for: Duration::from_secs(60),
        script: Vec::new(),
        callback: None,
    }
}

fn request() -> WebhookRequest {
    WebhookRequest { url: String::new(), headers: Vec::new(), body: [0xff, 0, b'x'][..].into() }
}

/// What comes of fetching a call that the host tells like this.
async fn fetched(answer: impl Fn() -> HostValue + Send + Sync + 'static) -> Error {
    let carrier = carrier(Scripted::answering(move |_| Ok(answer())));
    let error = carrier.fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error:?}");
    assert!(error.message().contains("`fetch` of the host's telephony"), "{error}");
    error
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_hangs_is_unavailable() {
    let limits = TimeLimits { call: Duration::from_secs(7), ..TimeLimits::default() };
    let carrier = HostTelephony::new("hosted", Scripted::hanging(), limits).unwrap();
    let error = carrier.fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(error.message(), "`fetch` of the host's telephony has not answered within 7s");
    let error = carrier.verify(&account(), &request()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "`verify` of the host's telephony has not answered within 5s");
}

#[tokio::test(start_paused = true)]
async fn audio_that_stops_coming_is_unavailable() {
    let host = Scripted::answering(|_| {
        let first = stream::iter([Ok(HostValue::Bytes("RIFF".into()))]);
        let chunks = HostValue::Stream(first.chain(stream::pending()).boxed());
        Ok(object([("content_type", "audio/x-wav".into()), ("chunks", chunks)]))
    });
    let mut audio = carrier(host).audio(&account(), "RE1").await.unwrap().stream;
    assert_eq!(audio.next().await.unwrap().unwrap(), "RIFF");
    let error = audio.next().await.unwrap().unwrap_err();
    assert_eq!(error.message(), "`audio` of the host's telephony has not answered within 30s");
    assert!(audio.next().await.is_none());
}

#[tokio::test]
async fn what_is_raised_is_the_cause() {
    let host = Scripted::raising(|| HostError::new("no route").caused_by(Exception(7)));
    let error = carrier(host).fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.message(), "`fetch` of the host's telephony has failed");
    assert_eq!(raised(&error), Some(&Exception(7)));

    let busy = || HostError { retryable: true, ..HostError::new("busy").caused_by(Exception(8)) };
    let error = carrier(Scripted::raising(busy)).fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(raised(&error), Some(&Exception(8)));

    let broken = Scripted::answering(|_| {
        let raised = || Err(HostError::new("broken").caused_by(Exception(9)));
        let chunks = [Ok(HostValue::Bytes("RIFF".into())), raised()];
        let chunks = HostValue::Stream(stream::iter(chunks).boxed());
        Ok(object([("content_type", "audio/x-wav".into()), ("chunks", chunks)]))
    });
    let audio = carrier(broken).audio(&account(), "RE1").await.unwrap().stream;
    let error = audio.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(raised(&error), Some(&Exception(9)));
}

#[tokio::test]
async fn a_code_that_the_host_chose_is_kept() {
    for kind in ErrorKind::ALL.iter().filter(|kind| **kind != ErrorKind::Internal) {
        let raise = || HostError::coded(kind.code(), "in words").caused_by(Exception(1));
        let error = carrier(Scripted::raising(raise)).fetch(&account(), "CA1").await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (*kind, "in words"));
        assert_eq!(raised(&error), Some(&Exception(1)));
    }
    let unknown = || HostError::coded("no_such_code", "in words");
    let error = carrier(Scripted::raising(unknown)).fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);

    let wait = Duration::from_secs(3);
    let limited = move || HostError {
        retry_after: Some(wait),
        ..HostError::coded("rate_limited", "too many")
    };
    let error = carrier(Scripted::raising(limited)).fetch(&account(), "CA1").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(wait)));

    let refused = FieldError::new("name", "invalid_account", "an account begins with `AC`");
    let fields = vec![refused.clone()];
    let invalid =
        move || HostError { fields: fields.clone(), ..HostError::coded("invalid", "refused") };
    let error = carrier(Scripted::raising(invalid)).check(&account()).unwrap_err();
    assert_eq!(error.fields(), [refused]);
}

#[tokio::test(start_paused = true)]
async fn only_a_host_that_says_so_has_no_such_call() {
    let refuses = Scripted::raising(|| HostError::coded("invalid", "no such number"));
    let error = carrier(refuses).start(&account(), &call()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let unknown: [Arc<Scripted>; 4] = [
        Scripted::hanging(),
        Scripted::raising(|| HostError::new("connection reset").caused_by(Exception(1))),
        Scripted::raising(|| HostError::coded("internal", "something")),
        Scripted::answering(|_| Ok(of_json(json!({ "status": "queued" })))),
    ];
    for host in unknown {
        match carrier(host).start(&account(), &call()).await.unwrap() {
            Started::Unknown(_) => {}
            Started::Placed(call) => panic!("{call:?}"),
        }
    }
}

#[tokio::test]
async fn a_wrong_answer_is_told_by_method_and_field() {
    let wrong = [
        (json!(null), "answered wrongly: expected a call"),
        (json!("queued"), "answered wrongly: expected a call"),
        (json!({ "status": "queued" }), "at `id`: missing field"),
        (json!({ "id": "CA1" }), "at `status`: missing field"),
        (json!({ "id": "CA1", "status": "dead" }), "at `status`: expected one of `queued`"),
        (json!({ "id": 7, "status": "queued" }), "at `id`: expected a string"),
        (json!({ "id": "CA1", "status": "queued", "duration": 3 }), "at `duration`: unknown field"),
        (json!({ "id": "CA1", "status": "queued", "duration_seconds": -1 }), "`duration_seconds`"),
        (json!({ "id": "CA1", "status": "queued", "duration_seconds": 1.5 }), "`duration_seconds`"),
        (json!({ "id": "CA1", "status": "queued", "steps": [{}] }), "at `steps[0].status`"),
        (
            json!({ "id": "CA1", "status": "queued", "ended_at": "2026-03-01T09:30:00" }),
            "at `ended_at`: no such value",
        ),
    ];
    for (answer, told) in wrong {
        let words = answer.to_string();
        let error = fetched(move || of_json(answer.clone())).await;
        assert!(error.message().contains(told), "{words}: {}", error.message());
    }
    let naive = || {
        let naive = HostValue::Unreadable("a datetime without a time zone".to_owned());
        object([("id", "CA1".into()), ("status", "queued".into()), ("ended_at", naive)])
    };
    let error = fetched(naive).await;
    let told = "at `ended_at`: a datetime without a time zone cannot be here";
    assert!(error.message().ends_with(told), "{error}");
}

#[tokio::test]
async fn what_the_host_answered_is_in_no_message() {
    let secret = || of_json(json!({ "id": "CA1", "status": "s3cret" }));
    let error = fetched(secret).await;
    assert!(!error.message().contains("s3cret"), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("s3cret"), "{source}");
}

#[tokio::test]
async fn node_has_one_kind_of_number() {
    let host = Scripted::answering(|_| {
        let seconds = HostValue::Number(12.0);
        Ok(object([
            ("id", "CA1".into()),
            ("status", "completed".into()),
            ("duration_seconds", seconds),
        ]))
    });
    let call = carrier(host).fetch(&account(), "CA1").await.unwrap();
    assert_eq!(call.progress.duration_seconds, Some(12));
    for odd in [f64::NAN, f64::INFINITY, -0.5, 1e300] {
        let error = fetched(move || {
            object([
                ("id", "CA1".into()),
                ("status", "completed".into()),
                ("duration_seconds", HostValue::Number(odd)),
            ])
        });
        assert!(error.await.message().contains("at `duration_seconds`"));
    }
}

#[tokio::test]
async fn a_request_is_refused_unless_the_host_says_it_is_good() {
    for (answer, kind) in [
        (json!(false), ErrorKind::Forbidden),
        (json!(null), ErrorKind::Internal),
        (json!("yes"), ErrorKind::Internal),
    ] {
        let host = Scripted::answering(move |_| Ok(of_json(answer.clone())));
        assert_eq!(carrier(host).verify(&account(), &request()).unwrap_err().kind(), kind);
    }
    let host = Scripted::raising(|| HostError::new("broken"));
    assert_eq!(
        carrier(host).verify(&account(), &request()).unwrap_err().kind(),
        ErrorKind::Internal
    );
    let host = Scripted::answering(|_| Ok(true.into()));
    carrier(host).verify(&account(), &request()).unwrap();
}

#[tokio::test]
async fn what_cannot_fail_is_nothing_where_the_host_fails() {
    let wrong = Scripted::answering(|_| Ok(of_json(json!({ "no": ["such"] }))));
    for host in [Scripted::raising(|| HostError::new("broken")), Scripted::hanging(), wrong] {
        let carrier = carrier(host);
        assert_eq!(carrier.account_of(&request()), None);
        assert_eq!(carrier.write_script(&[]), WebhookReply::RECEIVED);
        assert_eq!(carrier.take_callbacks(Timestamp::MIN), []);
    }
}

#[test]
fn methods_that_are_missing_are_named() {
    let missing = |methods| {
        let host = Scripted::without(methods);
        let made = HostTelephony::new("hosted", host, TimeLimits::default());
        made.err().map(|error| {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            error.fields().iter().map(|field| field.field.clone()).collect::<Vec<_>>()
        })
    };
    assert_eq!(missing(&[]), None);
    assert_eq!(missing(&["check", "take_callbacks", "recordings"]), None);
    let webhooks = &["account_of", "verify", "parse", "write_script"];
    assert_eq!(missing(webhooks), None);
    assert_eq!(missing(&["verify"]).unwrap(), ["telephony.verify"]);
    assert_eq!(missing(&["hang_up", "start"]).unwrap(), ["telephony.start", "telephony.hang_up"]);
    for name in ["", "Twilio", "a b", &"a".repeat(33)] {
        let made = HostTelephony::new(name, Scripted::hanging(), TimeLimits::default());
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_interrupted_is_left_alone() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let runtime = Handle::current();
    let hanging = move || {
        wait.recv().ok();
        Ok(HostValue::Null)
    };
    let late = within(&runtime, Duration::from_millis(5), hanging).unwrap_err();
    assert!(late.late);
    drop(go);
    let answer = within(&runtime, Duration::from_secs(60), || Ok(true.into())).unwrap();
    assert!(matches!(answer, HostValue::Bool(true)));
}

#[tokio::test]
async fn a_host_can_be_proven() {
    let proofs = prove_telephony(|| Ok(Arc::new(HostedCarrier::new(|simulator| simulator))));
    let proofs = proofs.await.unwrap();
    assert!(proofs.len() > 5, "{proofs:?}");
    assert!(proofs.iter().all(|proof| proof.wrong.is_none()), "{proofs:?}");
    let broken = || HostError::new("broken");
    let proofs = prove_telephony(move || Ok(Scripted::raising(broken))).await.unwrap();
    assert!(proofs.iter().all(|proof| proof.wrong.is_some()), "{proofs:?}");
}
