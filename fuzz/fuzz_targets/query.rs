//! The target and headers of a request of the native dialect.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_http::fuzzing::query(data));
