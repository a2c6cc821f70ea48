//! What a client says as it connects to a namespace, and the record of one that comes back.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_socketio::fuzzing::connect(data));
