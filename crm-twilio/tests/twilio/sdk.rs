//! The official SDKs as the other side: what they sign is accepted, and what they send is what we send.

use std::collections::BTreeMap;

use crm_core::telephony::{ScriptStep, Telephony as _};
use serde_json::{Value, json};

use crate::peer::{Answer, Came, Peer};
use crate::scene::{
    ACCOUNT, CALL, RECORDING, TOKEN, URL, account, number, outgoing, twilio, unsigned, wire,
};
use crate::tools::{Sdk, Tools};

const CREATED: &str = "Sun, 01 Mar 2026 10:00:30 +0000";

type Pairs = Vec<(&'static str, &'static str)>;

/// Addresses and forms of every kind.
fn webhooks() -> Vec<(&'static str, Pairs)> {
    let status = vec![
        ("CallSid", CALL),
        ("AccountSid", ACCOUNT),
        ("CallStatus", "completed"),
        ("CallerName", "Zoë & Söhne <€>"),
        ("ForwardedFrom", ""),
        ("Body", "  not trimmed \n"),
        ("From", "+14155550199"),
    ];
    let twice =
        vec![("Digits", "5"), ("Digits", "12"), ("Digits", "5"), ("RecordingSid", RECORDING)];
    let prefix = vec![("Reason", "b"), ("ReasonX", "a"), ("Reaso", "c"), ("a", "1"), ("A", "2")];
    vec![
        (URL, status),
        ("https://crm.example/webhooks/twilio", twice),
        ("https://crm.example:8443/webhooks/twilio/voice", prefix),
        ("http://crm.example/", vec![]),
    ]
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[tokio::test]
async fn what_the_sdks_sign_is_accepted_and_what_was_tampered_with_is_not() {
    let Some(tools) = Tools::find() else { return };
    let (twilio, account) = (twilio("http://127.0.0.1:1"), account());
    for sdk in Sdk::ALL {
        let order = json!({ "do": "sign", "token": TOKEN, "webhooks": webhooks() });
        let signatures: Vec<String> = serde_json::from_value(tools.sdk(sdk, &order).await).unwrap();
        assert_eq!(signatures.len(), webhooks().len());
        for ((url, pairs), signature) in webhooks().into_iter().zip(signatures) {
            let signed = |url: &str, form: &str| {
                let mut request = unsigned(url, form.as_bytes());
                request.headers.push(("x-twilio-signature".into(), signature.clone()));
                request
            };
            let whole = form(&pairs);
            twilio
                .verify(&account, &signed(url, &whole))
                .unwrap_or_else(|_| panic!("{sdk:?} {url}"));
            let reversed: Pairs = pairs.iter().rev().copied().collect();
            twilio.verify(&account, &signed(url, &form(&reversed))).unwrap();
            let mut tampered = vec![
                signed(&format!("{url}x"), &whole),
                signed(&url.replace("crm", "evil"), &whole),
                signed(url, &format!("{whole}&Extra=1")),
            ];
            // Without each of its parameters but the one that is there twice.
            for (at, (name, _)) in pairs.iter().enumerate().filter(|(_, (n, _))| *n != "Digits") {
                let mut fewer = pairs.clone();
                fewer.remove(at);
                tampered.push(signed(url, &form(&fewer)));
                fewer.push((name, "other"));
                tampered.push(signed(url, &form(&fewer)));
            }
            for request in tampered {
                assert!(twilio.verify(&account, &request).is_err(), "{sdk:?} {request:?}");
            }
        }
    }
}

/// What decides what Twilio does: everything but how the client calls itself and what it accepts.
fn wire_form(came: &Came) -> (String, String, Option<String>, Vec<(String, String)>) {
    let header = |name: &str| came.header(name).map(str::to_owned);
    (came.method.clone(), came.target.clone(), header("authorization"), came.form())
}

#[tokio::test]
async fn our_call_is_that_of_the_sdks_field_by_field() {
    let Some(tools) = Tools::find() else { return };
    let peer = Peer::start(|_, came| match came.target.contains("Calls.json") {
        true => Answer::json(201, wire(CALL, "queued", CREATED)),
        false => Answer::json(200, wire(CALL, "completed", CREATED)),
    })
    .await;
    let twilio = twilio(&peer.url);
    twilio.start(&account(), &outgoing()).await.unwrap();
    twilio.hang_up(&account(), CALL).await.unwrap();

    let mut call: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in peer.came()[0].form() {
        call.entry(name).or_default().push(value);
    }
    let call: BTreeMap<_, Value> = call
        .into_iter()
        .map(|(name, values)| match (name.ends_with("Event"), values.as_slice()) {
            (false, [one]) => (name, json!(one)),
            _ => (name, json!(values)),
        })
        .collect();
    for sdk in Sdk::ALL {
        let mut order = json!({
            "do": "create", "base": peer.url, "user": ACCOUNT, "password": TOKEN,
            "account": ACCOUNT, "call": call,
        });
        assert_eq!(tools.sdk(sdk, &order).await, CALL);
        order["do"] = json!("hang_up");
        order["call"] = json!(CALL);
        assert_eq!(tools.sdk(sdk, &order).await, "completed");
    }
    let came = peer.came();
    let [create, hang_up, others @ ..] = came.as_slice() else { panic!() };
    assert_eq!(others.len(), 4);
    for pair in others.chunks(2) {
        assert_eq!(wire_form(&pair[0]), wire_form(create));
        assert_eq!(wire_form(&pair[1]), wire_form(hang_up));
    }
}

#[tokio::test]
async fn hostile_text_stays_text_for_a_reader_of_xml() {
    let Some(tools) = Tools::find() else { return };
    let text = "</Say><Dial>+1</Dial> & \"quotes\" 'too' ]]> \u{0}\u{1b}\u{FFFF} Zoë 𝄞";
    let callback = "https://crm.example/?a=1&b=<2>\"><Reject/>";
    let script = [
        ScriptStep::Say { text: text.into(), language: Some("en\" voice=\"x".into()) },
        ScriptStep::Connect {
            to: number("+14155550100"),
            caller_id: None,
            record: true,
            callback: Some(callback.into()),
        },
    ];
    let reply = twilio("http://127.0.0.1:1").write_script(&script);
    assert_eq!(reply.content_type, Some("text/xml; charset=utf-8"));
    let read = tools.sdk(Sdk::Python, &json!({ "do": "xml", "document": reply.body })).await;
    let text = text.replace(['\u{0}', '\u{1b}', '\u{FFFF}'], " ");
    let dial = json!({
        "record": "record-from-answer-dual",
        "recordingStatusCallback": callback,
        "recordingStatusCallbackMethod": "POST",
        "recordingStatusCallbackEvent": "in-progress completed absent",
    });
    let expected = json!([
        ["Response", {}, ""],
        ["Say", { "language": "en\" voice=\"x" }, text],
        ["Dial", dial, ""],
        ["Number", {}, "+14155550100"],
    ]);
    assert_eq!(read, expected);
}
