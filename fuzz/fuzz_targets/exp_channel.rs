//! Ids of channels as EXP clients write them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_exp::fuzzing::channel(data));
