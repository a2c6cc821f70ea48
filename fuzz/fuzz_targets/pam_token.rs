//! Access manager tokens.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_access::fuzzing::pam_token(data));
