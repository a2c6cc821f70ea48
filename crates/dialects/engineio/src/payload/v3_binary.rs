//! Revision 3 as bytes: a marker (0 for text, 1 for bytes), the length's digits as a byte each, 0xFF, the packet.

use bytes::Bytes;

use super::{Packets, PayloadError, utf8};
use crate::packet::{BinarySupport, Frame, Packet, Revision};

const TEXT: u8 = 0;
const BINARY: u8 = 1;
const END_OF_LENGTH: u8 = 0xFF;
/// More digits than any length within a limit has.
const DIGITS_MAX: usize = 10;

pub(super) fn encode(packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::with_capacity(packets.iter().map(|packet| packet.data_bytes() + 8).sum());
    for packet in packets {
        match packet.to_frame(Revision::V3, BinarySupport::Native) {
            Frame::Text(text) => write(TEXT, text.as_bytes(), &mut out),
            Frame::Binary(bytes) => write(BINARY, &bytes, &mut out),
        }
    }
    out
}

fn write(marker: u8, packet: &[u8], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
    out.push(END_OF_LENGTH);
    out.extend_from_slice(packet);
}

pub(super) fn decode(body: &Bytes, packets_max: usize) -> Result<Vec<Packet>, PayloadError> {
    let mut packets = Packets::new(packets_max);
    let mut at = 0;
    while let Some(&marker) = body.get(at) {
        packets.expect_one()?;
        let (length, start) = length(body, at + 1)?;
        let end = start.checked_add(length).filter(|&end| end <= body.len());
        let packet = body.slice(start..end.ok_or(PayloadError::Truncated)?);
        at = start + length;
        packets.read.push(match marker {
            TEXT => Packet::from_text(Revision::V3, utf8(&packet)?)?,
            // Of its own: whoever keeps a packet is not to keep the body.
            BINARY => Packet::from_binary(Revision::V3, Bytes::copy_from_slice(&packet))?,
            _ => return Err(PayloadError::Marker),
        });
    }
    if packets.read.is_empty() { Err(PayloadError::Truncated) } else { Ok(packets.read) }
}

/// Reads the length that begins at `start`; also where it ends.
fn length(body: &[u8], start: usize) -> Result<(usize, usize), PayloadError> {
    let mut length = 0_usize;
    for (count, &byte) in body[start..].iter().enumerate() {
        match byte {
            END_OF_LENGTH if count > 0 => return Ok((length, start + count + 1)),
            0..=9 if count < DIGITS_MAX => {
                let longer = length.checked_mul(10).and_then(|length| length.checked_add(byte.into()));
                length = longer.ok_or(PayloadError::Length)?;
            }
            _ => return Err(PayloadError::Length),
        }
    }
    Err(PayloadError::Truncated)
}
