//! The WebSocket decoder, on any bytes and however they are cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_net::websocket::fuzzing::websocket_decoder(data));
