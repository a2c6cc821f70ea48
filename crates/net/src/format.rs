use std::rc::Rc;

use antiphon_model::{Compress, Publication};

use crate::messages::Messages;
use crate::websocket::{self, Deflater, MessageKind, WindowBits};

/// How a dialect writes a publication.
///
/// A static of the dialect's: subscribers that name the same one, with the same label, share the encoded bytes.
#[derive(Debug)]
pub struct Format {
    /// For logs.
    pub name: &'static str,
    /// Writes the publication as the messages that it is. If it writes none, its subscribers do not get the publication.
    ///
    /// Runs while the worker's sessions are being written to: it must call nothing of the worker's or a client's.
    pub encode: fn(&Publication, &mut Messages<'_>),
}

/// What stands around a message on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing: a stream.
    None,
    /// A chunk of an HTTP/1.1 body, around all that is written at once: whoever puts it into an outbox makes one of it, see [`crate::chunk`].
    Chunked,
    /// A WebSocket frame.
    WebSocket,
    /// A WebSocket frame, compressed if that makes it smaller.
    Deflated(WindowBits),
}

impl Framing {
    /// What was agreed on.
    pub(crate) fn of(upgrade: &websocket::Upgrade) -> Framing {
        match upgrade.deflate {
            Some(deflate) => Framing::Deflated(deflate.window_bits),
            None => Framing::WebSocket,
        }
    }
}

/// What a subscriber calls what it listens to: see [`crate::Want::label`].
pub type Label = Rc<str>;

/// All that decides what bytes a publication becomes.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) format: &'static Format,
    pub(crate) framing: Framing,
    pub(crate) label: Option<Label>,
}

impl PartialEq for Wire {
    fn eq(&self, other: &Wire) -> bool {
        std::ptr::eq(self.format, other.format) && self.framing == other.framing && self.label == other.label
    }
}

/// Turns publications into the bytes of a wire, with buffers that it keeps.
pub(crate) struct Encoder {
    message: Vec<u8>,
    deflater: Deflater,
}

/// One huge message is not a reason to keep a huge buffer.
const MESSAGE_BYTES_KEPT: usize = 64 << 10;

impl Encoder {
    pub(crate) fn new(threshold_bytes: usize) -> Encoder {
        Encoder { message: Vec::new(), deflater: Deflater::new(threshold_bytes) }
    }

    /// Appends a publication.
    pub(crate) fn encode(&mut self, wire: &Wire, publication: &Publication, out: &mut Vec<u8>) {
        let Encoder { message, deflater } = self;
        let framing = framing(wire.framing, publication.compress);
        let hint = publication.payload.len();
        let mut messages = Messages::new(framing, hint, message, deflater, out);
        messages.set_label(wire.label.as_deref().unwrap_or_default());
        (wire.format.encode)(publication, &mut messages);
        self.message.shrink_to(MESSAGE_BYTES_KEPT);
    }

    /// Appends messages of the dialect's own.
    pub(crate) fn write<R>(
        &mut self,
        framing: Framing,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Messages<'_>) -> R,
    ) -> R {
        let Encoder { message, deflater } = self;
        let written = write(&mut Messages::new(framing, 0, message, deflater, out));
        self.message.shrink_to(MESSAGE_BYTES_KEPT);
        written
    }

    /// Appends a message of the dialect's own, which lies there already.
    pub(crate) fn frame(
        &mut self,
        framing: Framing,
        compress: Compress,
        kind: MessageKind,
        message: &[u8],
        out: &mut Vec<u8>,
    ) {
        let Encoder { message: buffer, deflater } = self;
        let framing = self::framing(framing, compress);
        Messages::new(framing, message.len(), buffer, deflater, out).bytes(kind, message);
    }
}

fn framing(configured: Framing, compress: Compress) -> Framing {
    match (configured, compress) {
        (Framing::Deflated(_), Compress::Never) => Framing::WebSocket,
        (configured, _) => configured,
    }
}

impl Format {
    /// The messages that a publication becomes on a WebSocket: for tests of formats.
    #[doc(hidden)]
    pub fn messages(&self, publication: &Publication) -> Vec<(MessageKind, Vec<u8>)> {
        self.labelled_messages("", publication)
    }

    /// As [`Format::messages`], for a subscriber with a label.
    #[doc(hidden)]
    pub fn labelled_messages(&self, label: &str, publication: &Publication) -> Vec<(MessageKind, Vec<u8>)> {
        use crate::websocket::{Decoder, DecoderSettings, Event, Inflater, Input, Role};
        let mut bytes = self.bytes(Framing::WebSocket, label, publication);
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max: u32::MAX };
        let (mut decoder, mut inflater) = (Decoder::new(settings), Inflater::new());
        let (mut input, mut messages) = (Input::new(&mut bytes), Vec::new());
        while let Ok(Some(event)) = decoder.next(&mut input, &mut inflater) {
            match event {
                Event::Text(text) => messages.push((MessageKind::Text, text.as_bytes().to_vec())),
                Event::Binary(bytes) => messages.push((MessageKind::Binary, bytes.to_vec())),
                _ => {}
            }
        }
        messages
    }

    /// The bytes that a publication becomes on a stream: for tests of formats.
    #[doc(hidden)]
    pub fn stream_bytes(&self, publication: &Publication) -> Vec<u8> {
        self.bytes(Framing::None, "", publication)
    }

    fn bytes(&self, framing: Framing, label: &str, publication: &Publication) -> Vec<u8> {
        let (mut message, mut deflater, mut out) = (Vec::new(), Deflater::new(0), Vec::new());
        let mut messages = Messages::new(framing, 0, &mut message, &mut deflater, &mut out);
        messages.set_label(label);
        (self.encode)(publication, &mut messages);
        out
    }
}
