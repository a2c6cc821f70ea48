//! The headers in which proxies say who a request is from.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_net::fuzzing::forwarded(data));
