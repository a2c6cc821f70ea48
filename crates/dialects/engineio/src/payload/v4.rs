//! Revision 4: text packets with U+001E between them.

use super::{Packets, PayloadError};
use crate::packet::{Packet, Revision};

const SEPARATOR: char = '\x1e';

pub(super) fn encode(packets: &[Packet]) -> String {
    let mut out = String::with_capacity(packets.iter().map(|packet| packet.data_bytes() + 2).sum());
    for (index, packet) in packets.iter().enumerate() {
        if index > 0 {
            out.push(SEPARATOR);
        }
        packet.write_text(Revision::V4, &mut out);
    }
    out
}

pub(super) fn decode(text: &str, packets_max: usize) -> Result<Vec<Packet>, PayloadError> {
    let mut packets = Packets::new(packets_max);
    for part in text.split(SEPARATOR) {
        packets.expect_one()?;
        packets.read.push(Packet::from_text(Revision::V4, part)?);
    }
    Ok(packets.read)
}
