//! Tokens of logins and sessions.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_access::fuzzing::login(data));
