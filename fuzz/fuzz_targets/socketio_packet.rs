//! Packets of Socket.IO with their attachments, as text.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_socketio::fuzzing::packets(data));
