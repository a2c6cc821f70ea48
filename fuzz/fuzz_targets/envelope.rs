//! Messages of the subprotocol `antiphon.v1`, and the session that answers them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_http::fuzzing::envelope(data));
