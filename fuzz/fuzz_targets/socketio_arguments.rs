//! Arguments of events and acknowledgements, as handlers read them and send them on.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_socketio::fuzzing::arguments(data));
