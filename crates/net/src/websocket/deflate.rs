//! Message compression without context takeover, RFC 7692 section 7.2.
//!
//! As no message refers to another, one inflater and one deflater serve every connection of a worker, and a connection
//! that is idle owns neither.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::ProtocolError;

/// Ends a compressed message: senders strip it, receivers put it back.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The tail and an empty last block. Inflating it ends the stream exactly if the message was cut at a block's end, so a
/// truncated message is told from a whole one.
const TAIL_AND_LAST_BLOCK: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// How far back deflate can refer.
const WINDOW_BYTES: usize = 1 << 15;
/// How many last blocks (BFINAL) a message may have before its end. Senders that have any have one; each costs a copy
/// of the window.
const LAST_BLOCKS_MAX: usize = 64;
/// The first output buffer of an inflater, in bytes.
const OUTPUT_BYTES_FIRST: usize = 4 << 10;
/// What a buffer keeps from one message to the next, in bytes.
const BUFFER_BYTES_KEPT: usize = 256 << 10;

/// The base-2 logarithm of the window that compressed frames are made with: 9 to 15.
///
/// Frames can be shared by all connections that have the same. 8, which RFC 7692 knows as well, is what zlib cannot do
/// for raw deflate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The smallest window: 512 bytes.
    pub const MIN: Self = Self(9);
    /// The largest window, 32 KiB, which is what is used if the client asks for nothing else.
    pub const MAX: Self = Self(15);

    /// The window of 2^`bits` bytes, if it is one of these.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= Self::MIN.0 && bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// The number that stands in `server_max_window_bits`.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

/// Inflates messages one after the other; a worker needs one for all its connections.
///
/// Some 50 KB from the first message on, and what the largest recent message took, of which 256 KiB are kept.
#[derive(Debug, Default)]
pub struct Inflater {
    stream: Option<Decompress>,
    /// All of it initialised; the message is the first `filled` bytes.
    output: Vec<u8>,
    filled: usize,
}

/// Why inflating stopped.
#[derive(PartialEq, Eq)]
enum Stopped {
    /// All the input is used up, inside the stream.
    Inside,
    /// A last block ended, with this many bytes of the input left.
    AfterLastBlock(usize),
}

impl Inflater {
    /// An inflater that allocates nothing before its first message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Inflates the payload of one message into [`output`](Self::output).
    ///
    /// # Errors
    /// [`ProtocolError::MessageTooBig`] as soon as there are more than `bytes_max` bytes, whatever the rest would
    /// become; [`ProtocolError::InvalidDeflate`] if the payload is no deflate data or is cut short.
    pub(super) fn inflate(&mut self, payload: &[u8], bytes_max: usize) -> Result<(), ProtocolError> {
        self.filled = 0;
        if self.output.len() > BUFFER_BYTES_KEPT {
            self.output = Vec::new();
        }
        // Some senders compress an empty message to nothing instead of to one zero byte.
        if payload.is_empty() {
            return Ok(());
        }
        self.stream.get_or_insert_with(raw_inflate).reset(false);

        let mut rest = payload;
        for _ in 0..=LAST_BLOCKS_MAX {
            match self.run(rest, bytes_max)? {
                Stopped::Inside => {
                    return match self.run(&TAIL_AND_LAST_BLOCK, bytes_max)? {
                        Stopped::AfterLastBlock(0) => Ok(()),
                        _ => Err(ProtocolError::InvalidDeflate),
                    };
                }
                Stopped::AfterLastBlock(0) => return Ok(()),
                Stopped::AfterLastBlock(left) => rest = &rest[rest.len() - left..],
            }
            self.resume_after_last_block()?;
        }
        Err(ProtocolError::InvalidDeflate)
    }

    /// The message that was inflated last.
    pub(super) fn output(&self) -> &[u8] {
        &self.output[..self.filled]
    }

    fn run(&mut self, mut input: &[u8], bytes_max: usize) -> Result<Stopped, ProtocolError> {
        loop {
            if self.filled == self.output.len() {
                let bytes = (self.output.len() * 2).max(OUTPUT_BYTES_FIRST).min(bytes_max + 1);
                self.output.resize(bytes, 0);
            }
            let stream = self.stream.get_or_insert_with(raw_inflate);
            let (consumed, produced) = (stream.total_in(), stream.total_out());
            let status = stream
                .decompress(input, &mut self.output[self.filled..], FlushDecompress::None)
                .map_err(|_| ProtocolError::InvalidDeflate)?;
            let consumed = (stream.total_in() - consumed) as usize;
            let produced = (stream.total_out() - produced) as usize;
            input = &input[consumed..];
            self.filled += produced;

            if self.filled > bytes_max {
                return Err(ProtocolError::MessageTooBig);
            }
            if status == Status::StreamEnd {
                return Ok(Stopped::AfterLastBlock(input.len()));
            }
            // Output may be pending inside the stream as long as there was no room left for it.
            if input.is_empty() && self.filled < self.output.len() {
                return Ok(Stopped::Inside);
            }
            if consumed == 0 && produced == 0 {
                return Err(ProtocolError::InvalidDeflate);
            }
        }
    }

    /// Goes on behind a block that said it was the last: RFC 7692 section 7.2.3.4 lets a message go on, and its next
    /// block may refer to what came before.
    fn resume_after_last_block(&mut self) -> Result<(), ProtocolError> {
        let window = &self.output[self.filled.saturating_sub(WINDOW_BYTES)..self.filled];
        let stream = self.stream.get_or_insert_with(raw_inflate);
        stream.reset(false);
        stream.set_dictionary(window).map_err(|_| ProtocolError::InvalidDeflate)?;
        Ok(())
    }
}

/// An inflater for deflate data without a header, of any window.
fn raw_inflate() -> Decompress {
    Decompress::new(false)
}

/// Compresses messages one after the other; a worker needs one for all its connections.
///
/// Up to some 300 KB for each of the window sizes that are in use, and what the largest recent message took, of which
/// 256 KiB are kept.
#[derive(Debug)]
pub struct Deflater {
    threshold_bytes: usize,
    streams: [Option<Compress>; 7],
    output: Vec<u8>,
}

impl Deflater {
    /// A deflater that leaves messages of less than `threshold_bytes` alone, and allocates nothing before it needs to.
    #[must_use]
    pub fn new(threshold_bytes: usize) -> Self {
        Self { threshold_bytes, streams: Default::default(), output: Vec::new() }
    }

    /// The compressed payload of a message; `None` if it is below the threshold or gets no smaller.
    pub(super) fn deflate(&mut self, payload: &[u8], window_bits: WindowBits) -> Option<&[u8]> {
        if payload.len() < self.threshold_bytes || payload.is_empty() {
            return None;
        }
        // A stream that fills this is given up: its result is not smaller than the payload.
        let room = payload.len() + TAIL.len();
        if self.output.len() < room {
            self.output.resize(room, 0);
        } else if self.output.len() > BUFFER_BYTES_KEPT {
            self.output.truncate(room.max(BUFFER_BYTES_KEPT));
            self.output.shrink_to_fit();
        }

        let stream = self.streams[usize::from(window_bits.0 - WindowBits::MIN.0)].get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::default(), false, window_bits.0)
        });
        stream.reset();
        stream.compress(payload, &mut self.output[..room], FlushCompress::Sync).ok()?;
        let produced = stream.total_out() as usize;
        self.output[..produced].strip_suffix(&TAIL).filter(|compressed| compressed.len() < payload.len())
    }
}

#[cfg(test)]
mod tests;
