use antiphon_model::Publication;

use crate::websocket::{self, Deflater, MessageKind, WindowBits};

/// How a dialect writes a publication.
///
/// A static of the dialect's: subscribers that name the same one share the encoded bytes.
#[derive(Debug)]
pub struct Format {
    /// For logs.
    pub name: &'static str,
    /// Appends the publication; says what kind of WebSocket message it is, which streams ignore.
    pub encode: fn(&Publication, &mut Vec<u8>) -> MessageKind,
}

/// What stands around a message on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing: a stream.
    None,
    /// A WebSocket frame.
    WebSocket,
    /// A WebSocket frame, compressed if that makes it smaller.
    Deflated(WindowBits),
}

/// All that decides what bytes a publication becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) format: &'static Format,
    pub(crate) framing: Framing,
}

impl PartialEq for Wire {
    fn eq(&self, other: &Wire) -> bool {
        std::ptr::eq(self.format, other.format) && self.framing == other.framing
    }
}

/// Turns publications into the bytes of a wire, with buffers that it keeps.
pub(crate) struct Encoder {
    message: Vec<u8>,
    deflater: Deflater,
}

impl Encoder {
    pub(crate) fn new(threshold_bytes: usize) -> Encoder {
        Encoder { message: Vec::new(), deflater: Deflater::new(threshold_bytes) }
    }

    /// Appends a publication.
    pub(crate) fn encode(&mut self, wire: Wire, publication: &Publication, out: &mut Vec<u8>) {
        if wire.framing == Framing::None {
            (wire.format.encode)(publication, out);
            return;
        }
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        let kind = (wire.format.encode)(publication, &mut message);
        self.frame(wire.framing, kind, &message, out);
        // One huge message is not a reason to keep a huge buffer.
        message.shrink_to(64 << 10);
        self.message = message;
    }

    /// Appends a message of the dialect's own.
    pub(crate) fn frame(&mut self, framing: Framing, kind: MessageKind, message: &[u8], out: &mut Vec<u8>) {
        match framing {
            Framing::None => out.extend_from_slice(message),
            Framing::WebSocket => websocket::frame(kind, message, out),
            Framing::Deflated(bits) => {
                websocket::compressed_frame(kind, message, bits, &mut self.deflater, out);
            }
        }
    }
}
