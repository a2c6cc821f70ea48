use antiphon_model::Publication;
use antiphon_net::{Format, MessageKind, Messages};

use crate::wire::message;

/// A publication as a message of the subprotocol. All its listeners share the bytes.
pub(crate) static MESSAGE: Format = Format { name: super::PROTOCOL, encode };

fn encode(publication: &Publication, messages: &mut Messages<'_>) {
    messages.message(MessageKind::Text, |out| {
        out.extend_from_slice(b"{\"type\":\"message\",");
        message::write_members(publication, out);
        out.push(b'}');
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::publication;
    use antiphon_model::Payload;

    #[test]
    fn a_message_says_its_type_first() {
        let payload = Payload::from_text("{\"text\":\"hi\"}".into());
        let (kind, text) = MESSAGE.messages(&publication(17, "room", payload)).pop().unwrap();
        assert_eq!(kind, MessageKind::Text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"type":"message","position":"17","channel":"room","name":"message","payload":{"text":"hi"}}"#
        );
    }
}
