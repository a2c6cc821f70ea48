//! Requests of EXP clients: logins, broadcasts and responses.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_exp::fuzzing::request(data));
