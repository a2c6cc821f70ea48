use antiphon_model::Placeholder;
use bytes::Bytes;

use super::error::DecodeError;
use super::limits::Limits;
use super::packet::{Packet, Version};

/// A packet with all of its attachments. In its JSON, placeholders stand where attachments belong: each has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The packet.
    pub packet: Packet,
    /// As many as [`Packet::attachments`] says, in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

impl Message {
    /// The payload with every placeholder replaced by what `write` puts there, given the attachment: base64 for a dialect
    /// that has only text, say. JSON without attachments is handed on as it is. `None` if the packet has no payload.
    pub fn replace_attachments(&self, mut write: impl FnMut(&Bytes, &mut Vec<u8>)) -> Option<Bytes> {
        let json = self.packet.json()?;
        if self.attachments.is_empty() {
            return Some(json.as_bytes().clone());
        }
        let found = Placeholder::find(json, self.attachments.len()).unwrap_or_default();
        let (bytes, mut out, mut at) = (json.as_bytes(), Vec::with_capacity(json.as_bytes().len()), 0);
        for placeholder in found {
            out.extend_from_slice(&bytes[at..placeholder.range.start]);
            write(&self.attachments[placeholder.number], &mut out);
            at = placeholder.range.end;
        }
        out.extend_from_slice(&bytes[at..]);
        Some(out.into())
    }
}

/// Puts packets and the binary messages that follow them together, for one connection. Between two packets it keeps nothing.
///
/// After an error it awaits no more attachments, but the connection is to be closed.
#[derive(Debug)]
pub struct Decoder {
    version: Version,
    limits: Limits,
    /// Apart, because a connection that idles has none.
    unfinished: Option<Box<Unfinished>>,
}

/// A packet of which attachments are due.
#[derive(Debug)]
struct Unfinished {
    message: Message,
    bytes: usize,
}

impl Decoder {
    /// A decoder of what comes on a new connection.
    pub fn new(version: Version, limits: Limits) -> Decoder {
        Decoder { version, limits, unfinished: None }
    }

    /// Whether attachments are due.
    pub fn is_awaiting(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Takes a text message. `None` if attachments are to follow.
    ///
    /// # Errors
    /// An attachment was due, or the text is not a packet that is taken.
    pub fn handle_text(&mut self, text: &Bytes) -> Result<Option<Message>, DecodeError> {
        if self.unfinished.take().is_some() {
            return Err(DecodeError::AttachmentDue);
        }
        let packet = Packet::decode(text, self.version, &self.limits)?;
        let due = packet.attachments();
        if let Some(json) = packet.json().filter(|_| packet.is_binary()) {
            Placeholder::find(json, due)?;
        }
        let message = Message { packet, attachments: Vec::with_capacity(due) };
        if due == 0 {
            return Ok(Some(message));
        }
        self.unfinished = Some(Box::new(Unfinished { message, bytes: text.len() }));
        Ok(None)
    }

    /// Takes a binary message. `None` if more attachments are to follow.
    ///
    /// # Errors
    /// None was due, or the packet has too many bytes with it.
    pub fn handle_binary(&mut self, attachment: Bytes) -> Result<Option<Message>, DecodeError> {
        let mut unfinished = self.unfinished.take().ok_or(DecodeError::UnexpectedAttachment)?;
        unfinished.bytes = unfinished.bytes.saturating_add(attachment.len());
        if unfinished.bytes > self.limits.packet_bytes_max {
            return Err(DecodeError::TooLarge);
        }
        unfinished.message.attachments.push(attachment);
        if unfinished.message.attachments.len() == unfinished.message.packet.attachments() {
            return Ok(Some(unfinished.message));
        }
        self.unfinished = Some(unfinished);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AckId, Body};

    fn decoder() -> Decoder {
        Decoder::new(Version::V5, Limits { packet_bytes_max: 200, ..Limits::default() })
    }

    fn text(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    const ONE: &str = r#"51-["a",{"_placeholder":true,"num":0}]"#;
    const TWO: &str =
        r#"62-/admin,7[{"_placeholder":true,"num":1},{"x":[{"_placeholder":true,"num":0}]},"end"]"#;

    #[test]
    fn attachments_are_awaited_and_put_in_their_places() {
        let mut decoder = decoder();
        assert_eq!(decoder.handle_text(&text(TWO)), Ok(None));
        assert_eq!(decoder.handle_binary(text("first")), Ok(None));
        assert!(decoder.is_awaiting());
        let message = decoder.handle_binary(text("second")).unwrap().unwrap();
        assert!(!decoder.is_awaiting());
        assert_eq!(message.attachments, ["first", "second"]);
        let Body::BinaryAck { attachments: 2, ack, .. } = message.packet.body else { panic!("{message:?}") };
        assert_eq!(Some(ack), AckId::new(7));
        let filled = message.replace_attachments(|bytes, out| {
            out.push(b'"');
            out.extend_from_slice(bytes);
            out.push(b'"');
        });
        assert_eq!(filled.unwrap(), r#"["second",{"x":["first"]},"end"]"#);
    }

    #[test]
    fn what_has_no_attachments_is_whole_at_once() {
        let mut decoder = decoder();
        for packet in ["0", r#"2["a",{"_placeholder":true,"num":5}]"#, r#"50-["a"]"#] {
            let message = decoder.handle_text(&text(packet)).unwrap().unwrap();
            assert!(message.attachments.is_empty());
            assert!(!decoder.is_awaiting());
            let untouched = message.replace_attachments(|_, _| panic!("nothing to replace"));
            assert_eq!(untouched.as_ref(), message.packet.json().map(|json| json.as_bytes()));
        }
    }

    #[test]
    fn messages_out_of_turn_are_refused() {
        let mut decoder = decoder();
        assert_eq!(decoder.handle_binary(text("x")), Err(DecodeError::UnexpectedAttachment));
        assert_eq!(decoder.handle_text(&text(ONE)), Ok(None));
        assert_eq!(decoder.handle_text(&text("2[\"a\"]")), Err(DecodeError::AttachmentDue));
        assert!(!decoder.is_awaiting());
        assert!(decoder.handle_text(&text(ONE)).unwrap().is_none());
        assert!(decoder.handle_binary(Bytes::new()).unwrap().is_some());
        assert_eq!(decoder.handle_binary(text("x")), Err(DecodeError::UnexpectedAttachment));
    }

    #[test]
    fn placeholders_and_attachments_have_to_agree_before_any_is_awaited() {
        for (packet, error) in [
            (r#"51-["a"]"#, DecodeError::MissingPlaceholder),
            (r#"50-["a",{"_placeholder":true,"num":0}]"#, DecodeError::IllegalPlaceholder),
            (
                r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
                DecodeError::DuplicatePlaceholder,
            ),
            (r#"511-["a"]"#, DecodeError::TooManyAttachments),
        ] {
            let mut decoder = decoder();
            assert_eq!(decoder.handle_text(&text(packet)), Err(error), "{packet}");
            assert!(!decoder.is_awaiting());
        }
    }

    #[test]
    fn bytes_are_counted_over_the_whole_packet() {
        let mut decoder = decoder();
        assert_eq!(decoder.handle_text(&text(TWO)), Ok(None));
        assert_eq!(decoder.handle_binary(Bytes::from(vec![0; 200 - TWO.len()])), Ok(None));
        assert_eq!(decoder.handle_binary(text("x")), Err(DecodeError::TooLarge));
        assert!(!decoder.is_awaiting());
        let long = Bytes::from(format!("2[\"{}\"]", "a".repeat(200)));
        assert_eq!(decoder.handle_text(&long), Err(DecodeError::TooLarge));
    }
}
