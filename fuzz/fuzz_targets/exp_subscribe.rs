//! What EXP clients say to their sockets.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_exp::fuzzing::subscribe(data));
