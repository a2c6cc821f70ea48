//! Events of the standalone server.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_socketio::fuzzing::builtin(data));
