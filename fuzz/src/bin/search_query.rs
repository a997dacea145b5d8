//! What is typed into the search box.
#![no_main]

use crm_core::Region;
use crm_core::contacts::search::{MAX_QUERY, Query};
use crm_core::text::{MAX_WORD, fold, words};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let query = Query::parse(text, Region::US);
    // Folding comes first: it makes letters of signs, `™` is `tm`.
    if !fold(text).contains(char::is_alphanumeric) {
        assert!(query.is_empty(), "without a letter or a digit, and asks for something: {query:?}");
    }
    let read = &text[..text.floor_char_boundary(MAX_QUERY)];
    assert_eq!(Query::parse(read, Region::US), query, "depends on what lies beyond the limit");
    for word in words(text) {
        assert!(
            (1..=MAX_WORD).contains(&word.chars().count()),
            "a word of a wrong length: {word:?}"
        );
    }
});
