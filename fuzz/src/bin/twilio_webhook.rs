//! Webhooks of Twilio: whatever comes, it is read or refused; what is signed is accepted, and not under another
//! token, nor with another body.
#![no_main]

use std::sync::OnceLock;

use crm_core::telephony::{CarrierAccount, CarrierSecrets, Telephony as _, WebhookRequest};
use crm_twilio::{Twilio, TwilioOptions, sign};
use libfuzzer_sys::fuzz_target;

static TWILIO: OnceLock<Twilio> = OnceLock::new();

fn account(token: &str) -> CarrierAccount {
    let auth_tokens = vec![token.into()];
    CarrierAccount::new("AC", CarrierSecrets { auth_tokens, api_key: None })
}

// A line each for the address, the content type and the signature; then the body.
fuzz_target!(|bytes: &[u8]| {
    let twilio = TWILIO.get_or_init(|| Twilio::new(TwilioOptions::default()).expect("a client"));
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (url, kind, signature) = (line(), line(), line());
    let body = parts.next().unwrap_or_default().to_vec();
    let mut headers = vec![("x-twilio-signature".to_owned(), signature)];
    if !kind.is_empty() {
        headers.push(("content-type".to_owned(), kind));
    }
    let mut request = WebhookRequest { url, headers, body: body.into() };
    assert!(twilio.verify(&account("token"), &request).is_err(), "a signature was guessed");
    twilio.account_of(&request);
    twilio.parse(&request).ok();

    let signature = sign(&"token".into(), &request.url, &request.body);
    request.headers = vec![("x-twilio-signature".to_owned(), signature)];
    assert!(twilio.verify(&account("token"), &request).is_ok(), "what was signed is refused");
    assert!(twilio.verify(&account("other"), &request).is_err(), "any token will do");
    request.body = [&request.body[..], b"&x"].concat().into();
    // A second parameter of the same name and value is none more.
    let again = sign(&"token".into(), &request.url, &request.body);
    let same = request.header("x-twilio-signature") == Some(again.as_str());
    assert_eq!(twilio.verify(&account("token"), &request).is_ok(), same, "the body was changed");
});
