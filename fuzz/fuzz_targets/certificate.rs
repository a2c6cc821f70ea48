//! Certificates of clients, and of the server itself.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_access::fuzzing::certificate(data));
