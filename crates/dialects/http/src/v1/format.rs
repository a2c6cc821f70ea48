use antiphon_model::Publication;
use antiphon_net::{Format, MessageKind};

use crate::wire::message;

/// A publication as a message of the subprotocol. All its listeners share the bytes.
pub(crate) static MESSAGE: Format = Format { name: super::PROTOCOL, encode };

fn encode(publication: &Publication, out: &mut Vec<u8>) -> MessageKind {
    out.extend_from_slice(b"{\"type\":\"message\",");
    message::write_members(publication, out);
    out.push(b'}');
    MessageKind::Text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::publication;
    use antiphon_model::Payload;

    #[test]
    fn a_message_says_its_type_first() {
        let mut out = Vec::new();
        let payload = Payload::from_text("{\"text\":\"hi\"}".into());
        assert_eq!((MESSAGE.encode)(&publication(17, "room", payload), &mut out), MessageKind::Text);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"message","position":"17","channel":"room","name":"message","payload":{"text":"hi"}}"#
        );
    }
}
