//! Requests: paths, queries, lists of names, filters, compressed bodies.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_pubnub::fuzzing::request(data));
