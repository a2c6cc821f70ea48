//! One client connection: frames out, frames in, on a socket that never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;

use crate::args::MESSAGE_BYTES_MAX;
use crate::error::Error;
use crate::framing::{CLOSE, HEADER_BYTES_MAX, Header, PING, PONG, TEXT, push_frame};
use crate::handshake::Upgrade;
use crate::wire::sse::{EVENT, EventStream, TakeError};
use crate::wire::{Cut, Malformed, mqtt, nats, redis};

/// Bytes that one read asks for.
const READ_BYTES: usize = 256 << 10;

/// Bytes of an unexpected frame that are shown.
const SHOWN_BYTES: usize = 200;

/// What Engine.IO asks a client whether it is there with, and what the client answers.
const ENGINE_PING: &[u8] = b"2";
const ENGINE_PONG: &[u8] = b"3";

/// What control frames are masked with; they are too rare to matter.
const CONTROL_MASK: [u8; 4] = *b"ctrl";

/// The one buffer that all connections of a thread read into.
#[derive(Debug)]
pub(crate) struct ReadBuffer(Vec<u8>);

impl ReadBuffer {
    /// A buffer that any frame of up to `payload_bytes` fits in, with room for a long read besides.
    pub(crate) fn new(payload_bytes: usize) -> Self {
        debug_assert!(payload_bytes <= 2 * MESSAGE_BYTES_MAX);
        Self(vec![0; payload_bytes + HEADER_BYTES_MAX + READ_BYTES])
    }

    fn payload_bytes_max(&self) -> usize {
        self.0.len() - HEADER_BYTES_MAX - READ_BYTES
    }
}

/// A frame that is not about the connection itself, and when it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    pub(crate) read_at: Instant,
}

impl Frame<'_> {
    /// The error that this frame is where it says that something was refused.
    pub(crate) fn refused(&self, connection: usize) -> Error {
        let shown = &self.payload[..self.payload.len().min(SHOWN_BYTES)];
        Error::Refused { connection, answer: String::from_utf8_lossy(shown).into_owned() }
    }

    /// The error that this frame is where it is no message of the run.
    pub(crate) fn unexpected(&self, connection: usize) -> Error {
        let shown = &self.payload[..self.payload.len().min(SHOWN_BYTES)];
        // Kinds of frames that are letters are of protocols made of text.
        let is_text = self.opcode == TEXT || self.opcode.is_ascii_graphic();
        let shown = if is_text { format!(": {}", String::from_utf8_lossy(shown)) } else { String::new() };
        let detail = format!("opcode {}, {} bytes{shown}", self.opcode, self.payload.len());
        Error::Unexpected { connection, detail }
    }
}

/// How what comes on a connection is cut into frames.
#[derive(Debug)]
pub(crate) enum Framing {
    WebSocket,
    /// WebSocket, where texts of one character ask whether the client is there.
    EngineIo,
    /// An answer of HTTP that does not end.
    EventStream(Box<EventStream>),
    Mqtt,
    Nats,
    Redis,
}

/// A client's end. Registered once for both directions, edge-triggered: every read goes on until the socket is
/// drained, and what could not be written waits here for the writable event.
#[derive(Debug)]
pub(crate) struct Connection {
    number: usize,
    framing: Framing,
    stream: TcpStream,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    unsent: Vec<u8>,
    unsent_from: usize,
}

impl Connection {
    pub(crate) fn new(number: usize, framing: Framing, stream: TcpStream) -> Self {
        Self { number, framing, stream, partial: Vec::new(), unsent: Vec::new(), unsent_from: 0 }
    }

    pub(crate) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn socket_error(&self, source: io::Error) -> Error {
        match source.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.closed(None, String::new()),
            _ => Error::Socket { connection: self.number, source },
        }
    }

    fn closed(&self, code: Option<u16>, reason: String) -> Error {
        Error::Closed { connection: self.number, code, reason }
    }

    /// Sends bytes, keeping what the socket does not take.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let taken = if self.unsent.is_empty() { self.write(bytes)? } else { 0 };
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Takes up what an event says can be done about writing, and notices the end of a connection.
    ///
    /// # Errors
    /// The socket failed.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        let taken = self.write(&unsent[self.unsent_from..])?;
        self.unsent_from += taken;
        if self.unsent_from == unsent.len() {
            self.unsent_from = 0;
        } else {
            self.unsent = unsent;
        }
        Ok(())
    }

    /// Whether everything given to [`send`](Self::send) is with the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The connect is still under way: Linux says the first, BSDs the second.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => return Err(self.socket_error(error)),
            }
        }
        Ok(taken)
    }

    /// Does what an event asks for: flushes, and hands every whole frame that has come to `on_frame`.
    ///
    /// Pings, those of Engine.IO too, are answered here, and the end of the session is an error, so neither reaches
    /// `on_frame`.
    ///
    /// # Errors
    /// The connection ended or broke, or `on_frame` failed.
    pub(crate) fn handle_event(
        &mut self,
        event: &Event,
        buffer: &mut ReadBuffer,
        mut on_frame: impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if event.is_writable() {
            self.flush()?;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            while let Drain::More = self.read_once(buffer, &mut on_frame)? {}
            if event.is_read_closed() {
                return Err(self.closed(None, String::new()));
            }
        }
        Ok(())
    }

    fn read_once(
        &mut self,
        buffer: &mut ReadBuffer,
        on_frame: &mut impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<Drain, Error> {
        let payload_bytes_max = buffer.payload_bytes_max();
        let bytes = &mut buffer.0[..];
        let Some(filled) = self.fill(bytes)? else { return Ok(Drain::Drained) };
        let read_at = Instant::now();
        let taken = self.take_frames(&bytes[..filled], payload_bytes_max, read_at, on_frame)?;
        self.partial.clear();
        self.partial.extend_from_slice(&bytes[taken..filled]);
        Ok(if filled == bytes.len() { Drain::More } else { Drain::Drained })
    }

    /// Hands over the whole frames that came right behind the answer to the upgrade request.
    ///
    /// # Errors
    /// As of [`handle_event`](Self::handle_event).
    pub(crate) fn take_kept(
        &mut self,
        buffer: &ReadBuffer,
        mut on_frame: impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut kept = std::mem::take(&mut self.partial);
        let taken = self.take_frames(&kept, buffer.payload_bytes_max(), Instant::now(), &mut on_frame)?;
        kept.drain(..taken);
        self.partial = kept;
        Ok(())
    }

    /// Takes every whole frame, and says how many bytes they took.
    #[inline]
    fn take_frames(
        &mut self,
        bytes: &[u8],
        payload_bytes_max: usize,
        read_at: Instant,
        on_frame: &mut impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        match &mut self.framing {
            // In one place, so that all of it is put together with the loop that it is called from.
            Framing::WebSocket | Framing::EngineIo => {
                let engine_io =
                    if let Framing::EngineIo = self.framing { EngineIo::Yes } else { EngineIo::No };
                self.take_websocket(bytes, payload_bytes_max, read_at, engine_io, on_frame)
            }
            Framing::EventStream(stream) => {
                let event = |data: &[u8]| on_frame(Frame { opcode: EVENT, payload: data, read_at });
                stream.take(bytes, payload_bytes_max, event).map_err(|error| match error {
                    TakeError::Malformed(malformed) => self.malformed(malformed),
                    TakeError::Ended => self.closed(None, String::new()),
                    TakeError::Run(error) => error,
                })
            }
            Framing::Mqtt => {
                self.take_cuts(bytes, |rest| mqtt::cut(rest, payload_bytes_max), read_at, on_frame)
            }
            Framing::Nats => {
                self.take_cuts(bytes, |rest| nats::cut(rest, payload_bytes_max), read_at, on_frame)
            }
            Framing::Redis => {
                self.take_cuts(bytes, |rest| redis::cut(rest, payload_bytes_max), read_at, on_frame)
            }
        }
    }

    /// Takes frames of the protocols that are not WebSocket.
    #[inline]
    fn take_cuts(
        &mut self,
        bytes: &[u8],
        cut: impl Fn(&[u8]) -> Result<Option<Cut<'_>>, Malformed>,
        read_at: Instant,
        on_frame: &mut impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut at = 0;
        while let Some(frame) = cut(&bytes[at..]).map_err(|malformed| self.malformed(malformed))? {
            match (frame.opcode, &self.framing) {
                (nats::ERROR, Framing::Nats) | (redis::ERROR, Framing::Redis) => {
                    let answer = String::from_utf8_lossy(frame.payload).trim().to_owned();
                    return Err(Error::Refused { connection: self.number, answer });
                }
                (nats::PING, Framing::Nats) => self.send(nats::PONG_LINE)?,
                (opcode, _) => on_frame(Frame { opcode, payload: frame.payload, read_at })?,
            }
            at += frame.bytes;
        }
        Ok(at)
    }

    fn malformed(&self, Malformed(detail): Malformed) -> Error {
        Error::Malformed { connection: self.number, detail }
    }

    #[inline]
    fn take_websocket(
        &mut self,
        frames: &[u8],
        payload_bytes_max: usize,
        read_at: Instant,
        engine_io: EngineIo,
        on_frame: &mut impl FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut at = 0;
        loop {
            let header = Header::read(&frames[at..], payload_bytes_max)
                .map_err(|source| Error::Frame { connection: self.number, source })?;
            let Some(header) = header.filter(|header| header.frame_bytes() <= frames.len() - at) else {
                return Ok(at);
            };
            let payload = &frames[at + header.header_bytes..at + header.frame_bytes()];
            match header.opcode {
                PING => self.send_control(PONG, payload)?,
                CLOSE => return Err(self.closed_by_frame(payload)),
                TEXT if payload == ENGINE_PING && engine_io == EngineIo::Yes => {
                    self.send_control(TEXT, ENGINE_PONG)?;
                }
                opcode => on_frame(Frame { opcode, payload, read_at })?,
            }
            at += header.frame_bytes();
        }
    }

    /// Puts the beginning of a frame and what a read gives into `bytes`; `None` when there is nothing to read.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Error> {
        let kept = self.partial.len();
        loop {
            return match self.stream.read(&mut bytes[kept..]) {
                Ok(0) => Err(self.closed(None, String::new())),
                Ok(count) => {
                    bytes[..kept].copy_from_slice(&self.partial);
                    Ok(Some(kept + count))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(self.socket_error(error)),
            };
        }
    }

    /// Sends a frame that is no message of the run: about the connection, or what is said before the load.
    pub(crate) fn send_control(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Error> {
        let mut frame = Vec::with_capacity(HEADER_BYTES_MAX + payload.len());
        push_frame(&mut frame, opcode, payload, Some(CONTROL_MASK));
        self.send(&frame)
    }

    fn closed_by_frame(&self, payload: &[u8]) -> Error {
        match payload {
            [a, b, reason @ ..] => {
                let code = u16::from_be_bytes([*a, *b]);
                self.closed(Some(code), String::from_utf8_lossy(reason).into_owned())
            }
            _ => self.closed(None, String::new()),
        }
    }

    /// Whether an answer of HTTP comes before the first frame.
    pub(crate) fn has_head(&self) -> bool {
        matches!(self.framing, Framing::WebSocket | Framing::EngineIo | Framing::EventStream(_))
    }

    /// Reads toward the answer to the request; true once frames follow.
    ///
    /// Frames that came right behind the answer are kept for [`take_kept`](Self::take_kept).
    ///
    /// # Errors
    /// The connection ended, or the answer is not a right 101 or, where events are to follow, a 200.
    pub(crate) fn read_answer(&mut self, buffer: &mut ReadBuffer, upgrade: &Upgrade) -> Result<bool, Error> {
        let Some(filled) = self.fill(&mut buffer.0)? else { return Ok(false) };
        self.partial.clear();
        self.partial.extend_from_slice(&buffer.0[..filled]);
        let (checked, asked_for) = match &mut self.framing {
            Framing::EventStream(stream) => (stream.check_head(&self.partial), "a stream of events"),
            _ => (upgrade.check(&self.partial), "an upgrade to WebSocket"),
        };
        match checked {
            Ok(Some(head_bytes)) => {
                self.partial.drain(..head_bytes);
                self.partial.shrink_to_fit();
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(answer) => Err(Error::NotUpgraded { connection: self.number, asked_for, answer }),
        }
    }
}

/// Whether texts of one character are about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EngineIo {
    Yes,
    No,
}

/// Whether a socket may have more to read.
enum Drain {
    More,
    Drained,
}
