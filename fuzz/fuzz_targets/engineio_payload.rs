//! Payloads of Engine.IO in all their forms.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_engineio::fuzzing::engineio_payload(data));
