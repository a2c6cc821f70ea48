//! Revision 3 as text: `<length>:<packet>`, again and again.

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
            V3Text::Unknown | V3Text::Utf8 => one.encode_utf16().count(),
            V3Text::DoubleUtf8 => one.len(),
        };
        write!(out, "{length}:").expect("a string takes all that is written");
        match form {
            V3Text::Unknown | V3Text::Utf8 => out.push_str(&one),
            V3Text::DoubleUtf8 => out.extend(one.bytes().map(char::from)),
        }
    }
    out
}

/// What a length counts.
#[derive(Clone, Copy)]
enum Unit {
    Utf16,
    Byte,
}

/// A length of zero is a packet of nothing, which some clients send as their empty payload; it is skipped.
pub(super) fn decode(
    text: &str,
    known: &mut V3Text,
    packets_max: usize,
) -> Result<Vec<Packet>, PayloadError> {
    let once = known.learn(text);
    let (mut rest, unit) = once.as_deref().map_or((text, Unit::Utf16), |once| (once, Unit::Byte));
    let mut packets = Packets::new(packets_max);
    if rest.is_empty() {
        return Err(PayloadError::Length);
    }
    while !rest.is_empty() {
        packets.expect_one()?;
        let (length, after) = length(rest)?;
        let (packet, after) = split_at(after, length, unit)?;
        rest = after;
        if !packet.is_empty() {
            packets.read.push(Packet::from_text(Revision::V3, packet)?);
        }
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

/// Splits after so many units.
fn split_at(text: &str, length: usize, unit: Unit) -> Result<(&str, &str), PayloadError> {
    let mut left = length;
    for (index, character) in text.char_indices() {
        if left == 0 {
            return Ok(text.split_at(index));
        }
        let units = match unit {
            Unit::Utf16 => character.len_utf16(),
            Unit::Byte => character.len_utf8(),
        };
        left = left.checked_sub(units).ok_or(PayloadError::Length)?;
    }
    if left == 0 { Ok((text, "")) } else { Err(PayloadError::Truncated) }
}

impl V3Text {
    /// Undoes one of two rounds of UTF-8, if the client makes two, which this payload may tell.
    fn learn(&mut self, payload: &str) -> Option<String> {
        if *self == V3Text::Utf8 || payload.is_ascii() {
            return None;
        }
        let once = once_encoded(payload);
        *self = if once.is_some() { V3Text::DoubleUtf8 } else { V3Text::Utf8 };
        once
    }
}

/// The text whose UTF-8 has these characters for bytes, if there is one.
fn once_encoded(text: &str) -> Option<String> {
    let mut bytes = text.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>().ok()?;
    replace_surrogates(&mut bytes);
    String::from_utf8(bytes).ok()
}

/// Makes of each lone surrogate the replacement character, which is as long. JavaScript has them in strings that were cut; the
/// first of two rounds keeps them, which a single one does not.
fn replace_surrogates(bytes: &mut [u8]) {
    for at in 2..bytes.len() {
        let three = &mut bytes[at - 2..=at];
        if let [0xED, 0xA0..=0xBF, 0x80..=0xBF] = three {
            three.copy_from_slice("\u{FFFD}".as_bytes());
        }
    }
}
