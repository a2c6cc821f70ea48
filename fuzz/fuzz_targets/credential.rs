//! The body of a credential that an operator adds.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_http::fuzzing::credential(data));
