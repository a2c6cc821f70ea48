//! Requests for history, actions and objects: their queries, filters and bodies.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_pubnub::fuzzing::objects(data));
