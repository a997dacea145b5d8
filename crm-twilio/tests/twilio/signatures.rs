//! Whose webhook it is.

use std::path::PathBuf;
use std::sync::OnceLock;

use bytes::Bytes;
use crm_core::ErrorKind;
use crm_core::telephony::{CarrierAccount, CarrierSecrets, Telephony as _, WebhookRequest};
use crm_twilio::{Twilio, sign};
use proptest::prelude::*;
use serde_json::Value;

use crate::scene::{ACCOUNT, TOKEN, URL, account, signed, twilio, unsigned};

fn of_tokens(tokens: &[&str]) -> CarrierAccount {
    let auth_tokens = tokens.iter().map(|token| (*token).into()).collect();
    CarrierAccount::new(ACCOUNT, CarrierSecrets { auth_tokens, api_key: None })
}

/// One for all: nothing is sent, so any address does.
fn carrier() -> &'static Twilio {
    static CARRIER: OnceLock<Twilio> = OnceLock::new();
    CARRIER.get_or_init(|| twilio("http://127.0.0.1:1"))
}

fn is_theirs(account: &CarrierAccount, request: &WebhookRequest) -> bool {
    match carrier().verify(account, request) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Forbidden);
            false
        }
    }
}

fn with_signature(url: &str, form: &str, signature: &str) -> WebhookRequest {
    let mut request = unsigned(url, form.as_bytes());
    request.headers.push(("x-twilio-signature".into(), signature.into()));
    request
}

/// What Twilio publishes with its libraries, or nothing, which is said.
fn published() -> Option<Value> {
    let Some(folder) = std::env::var_os("CRM_TEST_DATA") else {
        eprintln!("CRM_TEST_DATA is not set: no published signatures were checked");
        return None;
    };
    let file = PathBuf::from(folder).join("twilio/signature_vectors.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn published_signatures_are_judged_as_twilios_libraries_do() {
    let Some(published) = published() else { return };
    let vectors = published["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 13);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let mut request = match vector["kind"].as_str().unwrap() {
            "form" => {
                let pairs: Vec<(String, String)> =
                    serde_json::from_value(vector["params"].clone()).unwrap();
                let mut form = form_urlencoded::Serializer::new(String::new());
                unsigned(text("url"), form.extend_pairs(pairs).finish().as_bytes())
            }
            _ => WebhookRequest {
                url: text("url").into(),
                headers: vec![("content-type".into(), "application/json".into())],
                body: Bytes::copy_from_slice(text("body").as_bytes()),
            },
        };
        request.headers.push(("x-twilio-signature".into(), text("signature").into()));
        let expected = vector["expect_valid"].as_bool().unwrap();
        let judged = is_theirs(&of_tokens(&[text("auth_token")]), &request);
        assert_eq!(judged, expected, "{}", text("name"));
    }
    for relation in published["relational"].as_array().unwrap() {
        let text = |name: &str| relation[name].as_str().unwrap();
        let token = text("auth_token");
        assert_eq!(sign(&token.into(), text("signed_url"), b""), text("signature_computed"));
        let request = with_signature(text("received_url"), "", text("signature_computed"));
        let expected = relation["expect_valid"].as_bool().unwrap();
        assert_eq!(is_theirs(&of_tokens(&[token]), &request), expected, "{}", text("name"));
    }
}

/// Computed by Python's `hmac`.
#[test]
fn signatures_of_another_hand_are_the_same() {
    for (form, signature) in [
        ("", "donSA2yVM1zncoImzqq7dpr9mnM="),
        ("From=%2B1&Empty=&CallSid=CA1", "kX9gPsCfxa+oLfRdvdrsUkzsLyI="),
        ("Name=Zo%C3%AB&Body=+two++spaces+", "MlZtcnyZ9C9mKN171BDMjNXBomo="),
    ] {
        assert_eq!(sign(&TOKEN.into(), URL, form.as_bytes()), signature, "{form}");
        assert!(is_theirs(&account(), &with_signature(URL, form, signature)), "{form}");
    }
}

#[test]
fn each_of_two_tokens_is_good_and_no_other() {
    let request = signed("old", URL, b"CallSid=CA1");
    assert!(is_theirs(&of_tokens(&["new", "old"]), &request));
    assert!(!is_theirs(&of_tokens(&["new", "newer"]), &request));
    assert!(!is_theirs(&of_tokens(&[]), &request));
    // Everybody could sign with nothing.
    assert!(!is_theirs(&of_tokens(&[""]), &signed("", URL, b"CallSid=CA1")));
}

#[test]
fn a_signature_that_is_none_is_refused() {
    let right = sign(&TOKEN.into(), URL, b"CallSid=CA1");
    assert!(is_theirs(&account(), &with_signature(URL, "CallSid=CA1", &right)));
    assert!(!is_theirs(&account(), &unsigned(URL, b"CallSid=CA1")));
    let wrong = [
        "",
        "=",
        "AAAA",
        "\u{FFFD}",
        &right[..27],
        &format!("{right}{right}"),
        &format!(" {right}"),
    ];
    for signature in wrong {
        assert!(!is_theirs(&account(), &with_signature(URL, "CallSid=CA1", signature)));
    }
}

#[test]
fn a_body_that_no_signature_covers_is_refused() {
    let other = |url: &str, body: &str| {
        let mut request = signed(TOKEN, url, b"");
        request.headers[0].1 = "application/json".into();
        request.body = Bytes::copy_from_slice(body.as_bytes());
        request
    };
    assert!(is_theirs(&account(), &other(URL, "")));
    assert!(!is_theirs(&account(), &other(URL, "{}")));
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let url = format!("{URL}&bodySHA256={hash}");
    assert!(is_theirs(&account(), &other(&url, "{}")));
    assert!(!is_theirs(&account(), &other(&url, "{} ")));
    // A form is signed as one, whatever hash the address has.
    let mut form = signed(TOKEN, &url, b"");
    form.body = Bytes::from_static(b"{}");
    assert!(!is_theirs(&account(), &form));
}

/// The rule once more, written otherwise: over decoded texts, with maps and sets.
fn reference(url: &str, body: &[u8]) -> Vec<u8> {
    use std::collections::{BTreeMap, BTreeSet};
    let mut parameters: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
        parameters.entry(decode(name)).or_default().insert(decode(value));
    }
    let mut signed = url.as_bytes().to_vec();
    for (name, values) in parameters {
        for value in values {
            signed.extend([name.as_slice(), &value].concat());
        }
    }
    signed
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (text[at], digits) {
            (b'%', Some(two)) => {
                out.push(u8::from_str_radix(two, 16).unwrap());
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted_and_no_byte_of_it_can_be_changed(
        pairs in prop::collection::vec(("[a-zA-Z]{1,6}", ".{0,10}"), 0..8),
        at in any::<prop::sample::Index>(),
        change in 1_u8..=255,
    ) {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let request = signed(TOKEN, URL, form.as_bytes());
        prop_assert!(is_theirs(&account(), &request));

        let mut url = request.clone();
        let at_url = at.index(URL.len());
        let mut bytes = URL.as_bytes().to_vec();
        bytes[at_url] ^= change;
        if let Ok(text) = String::from_utf8(bytes) {
            url.url = text;
            prop_assert!(!is_theirs(&account(), &url), "{}", url.url);
        }
        if !form.is_empty() {
            let mut body = form.as_bytes().to_vec();
            let at = at.index(body.len());
            body[at] ^= change;
            // Twilio puts names and values together without a mark between them, and escapes have two
            // ways of writing: a change that leaves the same text is none.
            let same = reference(URL, &body) == reference(URL, form.as_bytes());
            let altered = WebhookRequest { body: body.into(), ..request.clone() };
            prop_assert_eq!(is_theirs(&account(), &altered), same);
        }
        let mut signature = request.header("x-twilio-signature").unwrap().as_bytes().to_vec();
        let at = at.index(signature.len());
        signature[at] ^= change;
        let altered = String::from_utf8_lossy(&signature).into_owned();
        prop_assert!(!is_theirs(&account(), &with_signature(URL, &form, &altered)));
    }

    #[test]
    fn any_bytes_are_judged(
        url in ".{0,60}",
        kind in prop::option::of(prop::sample::select(vec!["application/json", "", "a;b"])),
        signature in prop::option::of("[A-Za-z0-9+/=]{0,32}"),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut headers = Vec::new();
        headers.extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        headers.extend(signature.map(|it| ("x-twilio-signature".to_owned(), it)));
        let request = WebhookRequest { url, headers, body: body.clone().into() };
        prop_assert!(!is_theirs(&account(), &request));
        let signed = signed(TOKEN, &request.url, &body);
        prop_assert!(is_theirs(&account(), &signed));
        carrier().parse(&signed).ok();
        carrier().account_of(&signed);
    }
}
