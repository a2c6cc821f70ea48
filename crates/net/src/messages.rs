use crate::format::Framing;
use crate::websocket::{self, Deflater, MessageKind};

/// Where messages are written to: on a WebSocket each becomes a frame of its own, on a stream their bytes follow each other.
#[derive(Debug)]
pub struct Messages<'a> {
    framing: Framing,
    /// About how long the next message is: a frame is written in place if that is roughly right.
    hint: usize,
    label: &'a str,
    /// Where a message lies before it is compressed.
    buffer: &'a mut Vec<u8>,
    deflater: &'a mut Deflater,
    out: &'a mut Vec<u8>,
}

impl<'a> Messages<'a> {
    pub(crate) fn new(
        framing: Framing,
        hint: usize,
        buffer: &'a mut Vec<u8>,
        deflater: &'a mut Deflater,
        out: &'a mut Vec<u8>,
    ) -> Messages<'a> {
        Messages { framing, hint, label: "", buffer, deflater, out }
    }

    pub(crate) fn set_label(&mut self, label: &'a str) {
        self.label = label;
    }

    /// What the subscriber calls what it listens to, [`crate::Want::label`]; empty if it calls it nothing.
    pub fn label(&self) -> &'a str {
        self.label
    }

    /// Adds a message, which `write` appends to what it is given; passes on what `write` returns.
    ///
    /// A stream knows no kinds of messages, and what is a text has to be UTF-8.
    pub fn message<R>(&mut self, kind: MessageKind, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        match self.framing {
            Framing::None | Framing::Chunked => write(self.out),
            Framing::WebSocket => websocket::frame_with(kind, self.hint, self.out, write),
            Framing::Deflated(bits) => {
                self.buffer.clear();
                let written = write(self.buffer);
                websocket::compressed_frame(kind, self.buffer, bits, self.deflater, self.out);
                written
            }
        }
    }

    /// Adds a message whose bytes lie there already.
    pub fn bytes(&mut self, kind: MessageKind, message: &[u8]) {
        match self.framing {
            Framing::None | Framing::Chunked => self.out.extend_from_slice(message),
            Framing::WebSocket => websocket::frame(kind, message, self.out),
            Framing::Deflated(bits) => {
                websocket::compressed_frame(kind, message, bits, self.deflater, self.out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::WindowBits;

    fn written(framing: Framing, write: impl FnOnce(&mut Messages<'_>)) -> Vec<u8> {
        let (mut buffer, mut out, mut deflater) = (Vec::new(), b"before".to_vec(), Deflater::new(10));
        write(&mut Messages::new(framing, 3, &mut buffer, &mut deflater, &mut out));
        assert!(out.starts_with(b"before"));
        out.split_off(6)
    }

    fn two(messages: &mut Messages<'_>) {
        messages.message(MessageKind::Text, |out| out.extend_from_slice(b"one"));
        messages.bytes(MessageKind::Binary, &[0; 200]);
    }

    #[test]
    fn on_a_stream_messages_are_bytes() {
        assert_eq!(written(Framing::None, two), [&b"one"[..], &[0; 200]].concat());
    }

    #[test]
    fn on_a_websocket_each_is_a_frame_compressed_where_it_helps() {
        assert_eq!(
            written(Framing::WebSocket, two),
            [&b"\x81\x03one"[..], &[0x82, 126, 0, 200], &[0; 200]].concat()
        );
        let deflated = written(Framing::Deflated(WindowBits::MAX), two);
        assert_eq!(deflated[..6], *b"\x81\x03one\xc2");
        assert!(deflated.len() < 30);
    }

    #[test]
    fn none_is_nothing() {
        assert_eq!(written(Framing::Deflated(WindowBits::MAX), |_| {}), b"");
    }
}
