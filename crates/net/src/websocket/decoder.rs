//! From the bytes of a connection to messages and control frames.
//!
//! A frame that is complete in what was read, and is a message by itself, is unmasked where it lies and handed out
//! from there. Everything else is gathered in the decoder's own buffer, which is allocated when it is needed, grows
//! with the bytes that arrive and not with those that are announced, and is given back with the message.

use std::ops::Range;

use super::frame::{Expected, Header};
use super::{
    CONTROL_BYTES_MAX, CloseCode, HEADER_BYTES_MAX, Inflater, MessageKind, Opcode, ProtocolError, Role, mask,
};

/// How large a message may be if nothing else is said: 1 MiB.
pub const MESSAGE_BYTES_MAX_DEFAULT: u32 = 1 << 20;
/// How many empty fragments a message may have. The others are bounded by the message's size.
pub const EMPTY_FRAGMENTS_MAX: u32 = 4096;
/// No limit on messages is above this.
const MESSAGE_BYTES_MAX_MAX: u32 = 1 << 30;

/// What a connection's frames are read against.
#[derive(Clone, Copy, Debug)]
pub struct DecoderSettings {
    /// Which end this is.
    pub role: Role,
    /// permessage-deflate was agreed on, without context takeover by the peer.
    pub deflate: bool,
    /// The largest message, in bytes, as sent and inflated. Above 1 GiB it counts as 1 GiB.
    pub message_bytes_max: u32,
}

impl Default for DecoderSettings {
    fn default() -> Self {
        Self { role: Role::Server, deflate: false, message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT }
    }
}

/// What a peer has sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same payload, of at most 125 bytes.
    Ping(&'a [u8]),
    /// The answer to a ping, or a sign of life.
    Pong(&'a [u8]),
    /// The peer closes, with a code and a reason of at most 123 bytes if it likes. The last event.
    Close(Option<(CloseCode, &'a str)>),
}

/// Bytes that were read, and how far they are decoded. They are changed: payloads are unmasked in place.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// What was read, from its beginning.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What is not decoded yet.
    #[must_use]
    pub fn remaining(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, bytes: usize) -> Range<usize> {
        let start = self.at;
        self.at += bytes;
        start..self.at
    }
}

/// The receiving half of a connection.
///
/// Below 100 bytes while nothing is under way; at most the limit on messages and 125 bytes more while something is.
#[derive(Debug)]
pub struct Decoder {
    /// The message under way as far as it came, and behind it the control frame under way.
    buffer: Vec<u8>,
    /// Payload bytes of the frame under way that are still to come.
    remaining: u32,
    message_bytes_max: u32,
    /// How much of the text in `buffer` is known to be UTF-8; at most three bytes behind it are half a character.
    validated: u32,
    empty_fragments: u32,
    /// As it applies to the next byte.
    mask: [u8; 4],
    /// The header under way: the first `header_bytes` of `header`.
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: u8,
    stage: Stage,
    frame: Frame,
    message: Option<Message>,
    delivered: Delivered,
    role: Role,
    deflate: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Header,
    Payload,
    /// After a close frame or a violation: what still comes is thrown away, RFC 6455 section 1.4.
    Finished,
}

/// The frame under way.
#[derive(Clone, Copy, Debug)]
enum Frame {
    Data { fin: bool },
    Control { opcode: Opcode, bytes: u8 },
}

/// The message under way.
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: MessageKind,
    compressed: bool,
}

/// What of `buffer` the last event was lent, and goes with the next call.
#[derive(Clone, Copy, Debug)]
enum Delivered {
    Nothing,
    All,
    Tail(u8),
}

/// Something to hand out, and where its bytes are.
struct Ready {
    opcode: Opcode,
    place: Place,
}

enum Place {
    Input(Range<usize>),
    BufferFrom(usize),
    Inflater,
}

impl Decoder {
    /// The decoder of a new connection.
    #[must_use]
    pub fn new(settings: DecoderSettings) -> Self {
        Self {
            buffer: Vec::new(),
            remaining: 0,
            message_bytes_max: settings.message_bytes_max.min(MESSAGE_BYTES_MAX_MAX),
            validated: 0,
            empty_fragments: 0,
            mask: [0; 4],
            header: [0; HEADER_BYTES_MAX],
            header_bytes: 0,
            stage: Stage::Header,
            frame: Frame::Data { fin: true },
            message: None,
            delivered: Delivered::Nothing,
            role: settings.role,
            deflate: settings.deflate,
        }
    }

    /// The next event in `input`; `None` when all of it is used up and what it left unfinished is remembered.
    ///
    /// Call it until it says `None`. After a close frame or an error it only empties the input.
    ///
    /// # Errors
    /// The peer's violation, after which the connection must be closed (RFC 6455 section 7.1.7). How the stream was cut
    /// into inputs makes no difference to events and errors.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
        inflater: &'a mut Inflater,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        self.release_delivered();
        let ready = match self.advance(input, inflater) {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.finish();
                return Err(error);
            }
        };
        let bytes = match ready.place {
            Place::Input(range) => &input.bytes[range],
            Place::BufferFrom(start) => &self.buffer[start..],
            Place::Inflater => inflater.output(),
        };
        let event = event(ready.opcode, bytes);
        if matches!(event, Err(_) | Ok(Event::Close(_))) {
            self.stage = Stage::Finished;
        }
        event.map(Some)
    }

    /// The heap bytes that this connection's unfinished frames take.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn advance(
        &mut self,
        input: &mut Input<'_>,
        inflater: &mut Inflater,
    ) -> Result<Option<Ready>, ProtocolError> {
        loop {
            match self.stage {
                Stage::Header => {
                    let Some(header) = self.take_header(input)? else { return Ok(None) };
                    let whole = self.begin_frame(&header)?;
                    if whole && input.len() >= self.remaining as usize {
                        return self.take_whole(input, inflater).map(Some);
                    }
                    self.stage = Stage::Payload;
                }
                Stage::Payload => {
                    self.take_payload(input)?;
                    if self.remaining > 0 {
                        return Ok(None);
                    }
                    self.stage = Stage::Header;
                    if let Some(ready) = self.end_frame(inflater)? {
                        return Ok(Some(ready));
                    }
                }
                Stage::Finished => {
                    input.take(input.len());
                    return Ok(None);
                }
            }
        }
    }

    fn take_header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, ProtocolError> {
        let expected = Expected { role: self.role, deflate: self.deflate };
        let held = usize::from(self.header_bytes);
        if held == 0
            && let Some(header) = Header::parse(input.remaining(), expected)?
        {
            input.take(header.header_bytes);
            return Ok(Some(header));
        }
        let more = input.len().min(HEADER_BYTES_MAX - held);
        self.header[held..held + more].copy_from_slice(&input.remaining()[..more]);
        match Header::parse(&self.header[..held + more], expected)? {
            Some(header) => {
                input.take(header.header_bytes - held);
                self.header_bytes = 0;
                Ok(Some(header))
            }
            None => {
                input.take(more);
                self.header_bytes = (held + more) as u8;
                Ok(None)
            }
        }
    }

    /// Takes in a frame's header, and says whether the frame can be handed out by itself.
    fn begin_frame(&mut self, header: &Header) -> Result<bool, ProtocolError> {
        let start = header.start;
        self.mask = header.mask;
        if start.opcode.is_control() {
            self.remaining = header.payload_bytes as u32;
            self.frame = Frame::Control { opcode: start.opcode, bytes: header.payload_bytes as u8 };
            return Ok(true);
        }

        let kind = match start.opcode {
            Opcode::Text => Some(MessageKind::Text),
            Opcode::Binary => Some(MessageKind::Binary),
            _ => None,
        };
        let message = match (kind, self.message) {
            (None, None) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (None, Some(message)) => message,
            (Some(kind), None) => {
                self.empty_fragments = 0;
                self.validated = 0;
                Message { kind, compressed: start.compressed }
            }
        };
        if header.payload_bytes == 0 {
            self.empty_fragments += 1;
            if self.empty_fragments > EMPTY_FRAGMENTS_MAX {
                return Err(ProtocolError::TooManyFragments);
            }
        }
        if header.payload_bytes > self.room(message) as u64 {
            return Err(ProtocolError::MessageTooBig);
        }
        self.message = Some(message);
        self.remaining = header.payload_bytes as u32;
        self.frame = Frame::Data { fin: start.fin };
        Ok(start.fin && kind.is_some())
    }

    /// How many more payload bytes the message may have.
    fn room(&self, message: Message) -> usize {
        let bytes_max = self.message_bytes_max as usize;
        // Data that does not compress grows by a few bytes for each of its blocks.
        let overhead = if message.compressed { bytes_max / 64 + 1024 } else { 0 };
        (bytes_max + overhead).saturating_sub(self.buffer.len())
    }

    /// Hands out a control frame, or a message of one frame, from where it lies in the input.
    fn take_whole(&mut self, input: &mut Input<'_>, inflater: &mut Inflater) -> Result<Ready, ProtocolError> {
        let range = input.take(self.remaining as usize);
        self.remaining = 0;
        let payload = &mut input.bytes[range.clone()];
        self.unmask(payload);
        let opcode = match self.frame {
            Frame::Control { opcode, .. } => opcode,
            Frame::Data { .. } => {
                let message = self.message.take().expect("a data frame belongs to a message");
                if message.compressed {
                    inflater.inflate(payload, self.message_bytes_max as usize)?;
                    return Ok(Ready { opcode: message.kind.into(), place: Place::Inflater });
                }
                message.kind.into()
            }
        };
        Ok(Ready { opcode, place: Place::Input(range) })
    }

    /// Moves what came of the frame's payload to the buffer.
    fn take_payload(&mut self, input: &mut Input<'_>) -> Result<(), ProtocolError> {
        let bytes = input.len().min(self.remaining as usize);
        let range = input.take(bytes);
        let payload = &mut input.bytes[range];
        self.unmask(payload);
        self.mask = mask::advance(self.mask, bytes);
        self.reserve(bytes);
        self.buffer.extend_from_slice(payload);
        self.remaining -= bytes as u32;
        match (self.frame, self.message) {
            (Frame::Data { .. }, Some(Message { kind: MessageKind::Text, compressed: false })) => {
                self.validate_text()
            }
            _ => Ok(()),
        }
    }

    /// Makes room for the next `bytes`: twice of what came so far, but no more than can still come.
    fn reserve(&mut self, bytes: usize) {
        if self.buffer.capacity() - self.buffer.len() >= bytes {
            return;
        }
        let to_come = match (self.frame, self.message) {
            (Frame::Data { fin: false }, Some(message)) => self.room(message),
            _ => self.remaining as usize,
        };
        self.buffer.reserve_exact(self.buffer.len().min(to_come).max(bytes));
    }

    /// Fails as soon as the text can no longer become UTF-8, with the message still under way.
    fn validate_text(&mut self) -> Result<(), ProtocolError> {
        let unknown = &self.buffer[self.validated as usize..];
        match simdutf8::compat::from_utf8(unknown) {
            Ok(_) => self.validated = self.buffer.len() as u32,
            Err(error) if error.error_len().is_some() => return Err(ProtocolError::InvalidUtf8),
            Err(error) => self.validated += error.valid_up_to() as u32,
        }
        Ok(())
    }

    /// Hands out what the buffer holds, if the frame that just ended completes it.
    fn end_frame(&mut self, inflater: &mut Inflater) -> Result<Option<Ready>, ProtocolError> {
        match self.frame {
            Frame::Control { opcode, bytes } => {
                self.delivered = Delivered::Tail(bytes);
                let start = self.buffer.len() - usize::from(bytes);
                Ok(Some(Ready { opcode, place: Place::BufferFrom(start) }))
            }
            Frame::Data { fin: false } => Ok(None),
            Frame::Data { fin: true } => {
                let message = self.message.take().expect("a data frame belongs to a message");
                self.delivered = Delivered::All;
                let opcode = message.kind.into();
                if message.compressed {
                    inflater.inflate(&self.buffer, self.message_bytes_max as usize)?;
                    return Ok(Some(Ready { opcode, place: Place::Inflater }));
                }
                Ok(Some(Ready { opcode, place: Place::BufferFrom(0) }))
            }
        }
    }

    fn unmask(&self, payload: &mut [u8]) {
        match self.role {
            Role::Server => mask::apply(payload, self.mask),
            Role::Client => {}
        }
    }

    fn release_delivered(&mut self) {
        match std::mem::replace(&mut self.delivered, Delivered::Nothing) {
            Delivered::Nothing => return,
            Delivered::All => self.buffer.clear(),
            Delivered::Tail(bytes) => self.buffer.truncate(self.buffer.len() - usize::from(bytes)),
        }
        if self.buffer.is_empty() || matches!(self.stage, Stage::Finished) {
            self.buffer = Vec::new();
        }
    }

    fn finish(&mut self) {
        self.stage = Stage::Finished;
        self.delivered = Delivered::Nothing;
        self.buffer = Vec::new();
    }
}

fn event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Text => {
            Event::Text(simdutf8::basic::from_utf8(payload).map_err(|_| ProtocolError::InvalidUtf8)?)
        }
        // What a continuation completes has the kind of its first frame, so there is no third kind of message.
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(close_payload(payload)?),
    })
}

/// RFC 6455 section 5.5.1: nothing, or a code and a reason.
fn close_payload(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, ProtocolError> {
    debug_assert!(payload.len() <= CONTROL_BYTES_MAX, "the header was checked");
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::CloseTooShort) };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(ProtocolError::InvalidCloseCode)?;
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
    Ok(Some((code, reason)))
}

#[cfg(test)]
mod tests;
