//! Requests of Engine.IO: their queries, and what forms and scripts escape.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_engineio::fuzzing::engineio_request(data));
