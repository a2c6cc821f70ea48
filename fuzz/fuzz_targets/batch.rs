//! The body of a batch of publications.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_http::fuzzing::batch(data));
