//! Revision 3 as text: `<length>:<packet>`, again and again.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Packets, PayloadError, V3Text};
use crate::packet::{Packet, Revision};

/// More digits than any length within a limit has.
const DIGITS_MAX: usize = 10;

pub(super) fn encode(packets: &[Packet], form: V3Text) -> String {
    let mut out = String::with_capacity(packets.iter().map(|packet| packet.data_bytes() + 8).sum());
    let mut one = String::new();
    for packet in packets {
        one.clear();
        packet.write_text(Revision::V3, &mut one);
        let length = match form {
            V3Text::Utf8 => one.encode_utf16().count(),
            V3Text::DoubleUtf8 => one.len(),
        };
        write!(out, "{length}:").expect("a string takes all that is written");
        match form {
            V3Text::Utf8 => out.push_str(&one),
            V3Text::DoubleUtf8 => out.extend(one.bytes().map(char::from)),
        }
    }
    out
}

/// A length of zero is a packet of nothing, which some clients send as their empty payload; it is skipped.
pub(super) fn decode(text: &str, form: V3Text, packets_max: usize) -> Result<Vec<Packet>, PayloadError> {
    let mut packets = Packets::new(packets_max);
    let mut rest = text;
    if rest.is_empty() {
        return Err(PayloadError::Length);
    }
    while !rest.is_empty() {
        packets.expect_one()?;
        let (length, after) = length(rest)?;
        let (packet, after) = split_at_utf16(after, length)?;
        rest = after;
        if packet.is_empty() {
            continue;
        }
        let packet = match form {
            V3Text::Utf8 => Cow::Borrowed(packet),
            V3Text::DoubleUtf8 => once_decoded(packet),
        };
        packets.read.push(Packet::from_text(Revision::V3, &packet)?);
    }
    Ok(packets.read)
}

fn length(text: &str) -> Result<(usize, &str), PayloadError> {
    let (digits, rest) = text.split_once(':').ok_or(PayloadError::Length)?;
    if digits.len() > DIGITS_MAX || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PayloadError::Length);
    }
    Ok((digits.parse().map_err(|_| PayloadError::Length)?, rest))
}

/// Splits after so many UTF-16 units.
fn split_at_utf16(text: &str, units: usize) -> Result<(&str, &str), PayloadError> {
    let mut left = units;
    for (index, character) in text.char_indices() {
        if left == 0 {
            return Ok(text.split_at(index));
        }
        left = left.checked_sub(character.len_utf16()).ok_or(PayloadError::Length)?;
    }
    if left == 0 { Ok((text, "")) } else { Err(PayloadError::Truncated) }
}

/// Undoes one of two rounds of UTF-8, if there were two.
fn once_decoded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    match bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(decoded) => Cow::Owned(decoded),
        None => Cow::Borrowed(text),
    }
}
