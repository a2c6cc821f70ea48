//! WebSocket frames, as little of them as a load generator and a reference server need (RFC 6455, section 5).

/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// The most bytes a frame's header can have: two, eight of length, four of mask.
pub const HEADER_BYTES_MAX: usize = 14;

/// Why bytes are not a frame that this crate takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A fragment or an extension's bits: neither is ever negotiated or sent here.
    #[error("a fragmented frame, or one with reserved bits")]
    Unsupported,
    /// The frame is longer than the reader's limit.
    #[error("a frame of {bytes} bytes is over the limit")]
    TooBig {
        /// Its payload.
        bytes: u64,
    },
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The frame's opcode.
    pub opcode: u8,
    /// The key the payload is masked with, in frames from clients.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the header itself, the mask included.
    pub header_bytes: usize,
    /// Bytes of the payload after it.
    pub payload_bytes: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` while it is not all there.
    ///
    /// # Errors
    /// Fragments, reserved bits, and payloads over `payload_bytes_max`.
    #[inline]
    pub fn read(bytes: &[u8], payload_bytes_max: usize) -> Result<Option<Self>, FrameError> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        if first & 0xF0 != 0x80 || first & 0x0F == 0 {
            return Err(FrameError::Unsupported);
        }
        let (length, mask_at) = match second & 0x7F {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
                Some(length) => (u64::from_be_bytes(length), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        let too_big = FrameError::TooBig { bytes: length };
        let payload_bytes = usize::try_from(length).map_err(|_| too_big)?;
        if payload_bytes > payload_bytes_max {
            return Err(too_big);
        }
        let (mask, header_bytes) = if second & 0x80 == 0 {
            (None, mask_at)
        } else {
            match bytes.get(mask_at..mask_at + 4).and_then(|key| key.try_into().ok()) {
                Some(key) => (Some(key), mask_at + 4),
                None => return Ok(None),
            }
        };
        Ok(Some(Self { opcode: first & 0x0F, mask, header_bytes, payload_bytes }))
    }

    /// Bytes of the header and the payload together.
    #[inline]
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.header_bytes + self.payload_bytes
    }
}

/// Appends the header of an unfragmented frame.
pub fn push_header(out: &mut Vec<u8>, opcode: u8, payload_bytes: usize, mask: Option<[u8; 4]>) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    match payload_bytes {
        0..=125 => out.push(masked | payload_bytes as u8),
        126..=0xFFFF => {
            out.push(masked | 126);
            out.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
    }
}

/// Appends a whole frame, masked when there is a key.
pub fn push_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    push_header(out, opcode, payload.len(), mask);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        apply_mask(&mut out[start..], key);
    }
}

/// Masks or unmasks a payload in place.
#[inline]
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Keys to mask with, so that a server has to unmask; they need not be unpredictable between programs of one owner.
#[derive(Debug)]
pub struct MaskKeys(u32);

impl MaskKeys {
    /// Starts a sequence of keys.
    #[must_use]
    pub fn new() -> Self {
        Self(0x9E37_79B9)
    }

    /// The next key.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.to_ne_bytes()
    }
}

impl Default for MaskKeys {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_comes_back_as_it_was_written() {
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let mut out = Vec::new();
                push_frame(&mut out, BINARY, &payload, mask);
                let header = Header::read(&out, length).unwrap().unwrap();
                assert_eq!((header.opcode, header.mask), (BINARY, mask));
                assert_eq!(header.frame_bytes(), out.len());
                let body = &mut out[header.header_bytes..];
                if let Some(key) = mask {
                    apply_mask(body, key);
                }
                assert_eq!(body, payload);
                for cut in 0..header.header_bytes {
                    let mut head = Vec::new();
                    push_header(&mut head, BINARY, length, mask);
                    assert_eq!(Header::read(&head[..cut], length), Ok(None), "{length} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn refuses_fragments_reserved_bits_and_what_is_too_big() {
        assert_eq!(Header::read(&[0x02, 0x00], 10), Err(FrameError::Unsupported));
        assert_eq!(Header::read(&[0x80, 0x00], 10), Err(FrameError::Unsupported));
        assert_eq!(Header::read(&[0xC2, 0x00], 10), Err(FrameError::Unsupported));
        assert_eq!(Header::read(&[0x82, 11], 10), Err(FrameError::TooBig { bytes: 11 }));
        let huge = [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(Header::read(&huge, 10), Err(FrameError::TooBig { bytes: u64::MAX }));
    }
}
