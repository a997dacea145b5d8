//! What a webhook of a carrier costs before it reaches the store: its signature, and what it says.
//!
//! `cargo bench -p crm-benches --bench telephony`

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use crm_benches::machine;
use crm_core::telephony::{CarrierAccount, CarrierSecrets, Telephony as _, WebhookRequest};
use crm_twilio::{Twilio, TwilioOptions, sign};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "fedcba9876543210fedcba9876543210";
const URL: &str = "https://crm.example/webhooks/twilio?call=01890a5d-ac96-774b-bcce-b302099a8057";
/// How long checks are counted.
const COUNTED: Duration = Duration::from_secs(3);

/// The parameters of an ordinary status callback.
const STATUS: [(&str, &str); 22] = [
    ("Called", "+14155550100"),
    ("ToState", "CA"),
    ("CallerCountry", "US"),
    ("Direction", "outbound-api"),
    ("Timestamp", "Sun, 01 Mar 2026 10:00:30 +0000"),
    ("CallbackSource", "call-progress-events"),
    ("SipResponseCode", "200"),
    ("CallerState", "CA"),
    ("ToZip", "94105"),
    ("SequenceNumber", "3"),
    ("CallSid", "CA0123456789abcdef0123456789abcdef"),
    ("To", "+14155550100"),
    ("CallerZip", ""),
    ("ToCountry", "US"),
    ("CallDuration", "42"),
    ("ApiVersion", "2010-04-01"),
    ("CallStatus", "completed"),
    ("CallerCity", "SAN FRANCISCO"),
    ("Duration", "1"),
    ("From", "+14155550199"),
    ("AccountSid", ACCOUNT),
    ("ToCity", "SAN FRANCISCO"),
];

fn main() {
    println!("{}", machine());
    let twilio = Twilio::new(TwilioOptions::default()).unwrap();
    let request = callback(TOKEN);
    let rotated = callback("before");
    let account = account(&[TOKEN]);
    let two = self::account(&[TOKEN, "before"]);

    let mut criterion = Criterion::default()
        .configure_from_args()
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    criterion.bench_function("a signature is checked", |bencher| {
        bencher.iter(|| twilio.verify(&account, black_box(&request)));
    });
    criterion.bench_function("a signature of the second token is checked", |bencher| {
        bencher.iter(|| twilio.verify(&two, black_box(&rotated)));
    });
    criterion.bench_function("a forged signature is refused", |bencher| {
        bencher.iter(|| twilio.verify(&account, black_box(&rotated)));
    });
    criterion.bench_function("a status is read", |bencher| {
        bencher.iter(|| twilio.parse(black_box(&request)));
    });
    criterion.final_summary();

    let start = Instant::now();
    let mut checks = 0_u32;
    while start.elapsed() < COUNTED {
        for _ in 0..1_000 {
            twilio.verify(&account, black_box(&request)).unwrap();
        }
        checks += 1_000;
    }
    let each_second = f64::from(checks) / start.elapsed().as_secs_f64();
    println!("signatures checked on one core: {each_second:.0}/s");
}

fn callback(token: &str) -> WebhookRequest {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(STATUS).finish();
    let signature = sign(&token.into(), URL, form.as_bytes());
    let headers = vec![
        ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ("x-twilio-signature".to_owned(), signature),
    ];
    WebhookRequest { url: URL.to_owned(), headers, body: Bytes::from(form) }
}

fn account(tokens: &[&str]) -> CarrierAccount {
    let auth_tokens = tokens.iter().map(|token| (*token).into()).collect();
    CarrierAccount::new(ACCOUNT, CarrierSecrets { auth_tokens, api_key: None })
}
