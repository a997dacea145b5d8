//! vCard 2.1, 3.0 and 4.0.
#![no_main]

use crm_core::contacts::formats::ImportFormat;
use crm_fuzz::check_reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| check_reader(ImportFormat::VCard, bytes));
