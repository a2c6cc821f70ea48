//! The headers of a request that asks for a WebSocket.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_net::websocket::fuzzing::websocket_handshake(data));
