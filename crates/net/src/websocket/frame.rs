//! The frame header, RFC 6455 section 5.2.

use super::ProtocolError;

/// The largest payload of a control frame, in bytes.
pub const CONTROL_BYTES_MAX: usize = 125;
/// The largest frame header, in bytes: 64-bit length and mask.
pub const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// Which end of the connection this is: a server gets masked frames, a client unmasked ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Decodes what a client sends.
    Server,
    /// Decodes what a server sends.
    Client,
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// Goes on with the message before.
    Continuation = 0x0,
    /// Begins a text message.
    Text = 0x1,
    /// Begins a binary message.
    Binary = 0x2,
    /// Closes.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or says that the peer is there.
    Pong = 0xa,
}

impl Opcode {
    const fn new(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// True for close, ping and pong.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// What a message carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl From<MessageKind> for Opcode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

/// The first byte of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameStart {
    /// What the frame is.
    pub opcode: Opcode,
    /// It is the last of its message.
    pub fin: bool,
    /// RSV1: its message is compressed.
    pub compressed: bool,
}

impl FrameStart {
    /// A frame that is a whole uncompressed message, or a control frame.
    #[must_use]
    pub const fn whole(opcode: Opcode) -> Self {
        Self { opcode, fin: true, compressed: false }
    }

    fn parse(byte: u8) -> Result<Self, ProtocolError> {
        if byte & RSV2_AND_3 != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        let opcode = Opcode::new(byte & OPCODE).ok_or(ProtocolError::ReservedOpcode)?;
        let start = Self { opcode, fin: byte & FIN != 0, compressed: byte & RSV1 != 0 };
        if opcode.is_control() && !start.fin {
            return Err(ProtocolError::FragmentedControl);
        }
        Ok(start)
    }

    pub(super) const fn byte(self) -> u8 {
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.compressed { RSV1 } else { 0 };
        fin | rsv1 | self.opcode as u8
    }
}

/// What the header is read against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) role: Role,
    pub(super) deflate: bool,
}

/// A frame header as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) start: FrameStart,
    pub(super) payload_bytes: u64,
    /// All zero if the frame is unmasked.
    pub(super) mask: [u8; 4],
    /// What the header itself takes, in bytes.
    pub(super) header_bytes: usize,
}

impl Header {
    /// Reads the header that `bytes` begin with; `None` if it goes on beyond them.
    ///
    /// # Errors
    /// As early as the bytes allow, so that the same stream fails at the same byte however it is cut.
    pub(super) fn parse(bytes: &[u8], expected: Expected) -> Result<Option<Self>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let start = FrameStart::parse(first)?;
        if start.compressed {
            if !expected.deflate {
                return Err(ProtocolError::CompressionNotNegotiated);
            }
            if start.opcode.is_control() || start.opcode == Opcode::Continuation {
                return Err(ProtocolError::CompressionMisplaced);
            }
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        let masked = second & MASKED != 0;
        match expected.role {
            Role::Server if !masked => return Err(ProtocolError::NotMasked),
            Role::Client if masked => return Err(ProtocolError::Masked),
            Role::Server | Role::Client => {}
        }
        let short = second & LENGTH;
        if start.opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(ProtocolError::LongControl);
        }

        let Some((payload_bytes, rest)) = parse_length(short, rest)? else { return Ok(None) };
        let (mask, rest) = match rest.split_first_chunk::<4>() {
            _ if !masked => ([0; 4], rest),
            Some((mask, rest)) => (*mask, rest),
            None => return Ok(None),
        };
        Ok(Some(Self { start, payload_bytes, mask, header_bytes: bytes.len() - rest.len() }))
    }
}

/// Reads what follows the seven bits of `short`, and says what is left after it.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let (length, rest, least) = match short {
        LENGTH_16 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), rest, u64::from(LENGTH_16))
        }
        LENGTH_64 => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*length), rest, 1 << 16)
        }
        _ => (u64::from(short), rest, 0),
    };
    if length >> 63 != 0 {
        return Err(ProtocolError::LengthOverflow);
    }
    if length < least {
        return Err(ProtocolError::LengthNotMinimal);
    }
    Ok(Some((length, rest)))
}

/// The length bytes of a header, the first of them with the mask bit.
#[derive(Clone, Copy)]
pub(super) struct LengthBytes {
    bytes: [u8; 9],
    count: u8,
}

impl LengthBytes {
    pub(super) fn new(payload_bytes: usize, masked: bool) -> Self {
        let mut bytes = [0; 9];
        let count = match payload_bytes {
            0..=125 => {
                bytes[0] = payload_bytes as u8;
                1
            }
            126..=0xffff => {
                bytes[0] = LENGTH_16;
                bytes[1..3].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
                3
            }
            _ => {
                bytes[0] = LENGTH_64;
                bytes[1..].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
                9
            }
        };
        if masked {
            bytes[0] |= MASKED;
        }
        Self { bytes, count }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.count)]
    }
}
