//! The header of the PROXY protocol, before anything else of a connection.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_net::fuzzing::proxy_header(data));
