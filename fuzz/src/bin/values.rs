//! The value types: whatever is typed, parsing ends, and what is accepted parses again to the same value.
#![no_main]

use crm_core::{EmailAddress, PhoneNumber, Region, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(number) = PhoneNumber::parse(text, Region::US) {
        assert_eq!(PhoneNumber::from_e164(number.as_str()).as_ref(), Some(&number));
    }
    if let Ok(address) = EmailAddress::parse(text) {
        assert_eq!(EmailAddress::parse(address.as_str()).as_ref(), Ok(&address));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse::<Timestamp>().ok(), Some(at));
    }
});
