//! Packets of Socket.IO as MessagePack.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_socketio::fuzzing::msgpack(data));
