use antiphon_engineio::{Data, Link, SendError, SendOptions, Sent, Text};

use crate::Parser;
use crate::arguments::attachments;
use crate::formats::EventPacket;

impl EventPacket<'_> {
    /// Sends it to one client, behind what it was sent before. What a client that is gone or does not read is not sent is the
    /// transport's business.
    pub(crate) fn send(&self, link: &Link, parser: Parser, options: SendOptions) {
        // Its bytes are written where the transport wants them.
        let _ = match parser {
            Parser::Default => self.send_text(link, options),
            Parser::Msgpack => {
                let mut packed = Vec::with_capacity(self.payload.len() + 64);
                self.packed(&mut packed);
                link.send_binary(&packed, options)
            }
        };
    }

    fn send_text(&self, link: &Link, options: SendOptions) -> Result<Sent, SendError> {
        let attachments = attachments(self.payload);
        if attachments.is_empty() {
            return link.send_text(options, |out| self.text(link.encoding(), out));
        }
        // The client awaits them right behind.
        let mut text = Vec::with_capacity(self.payload.len() + 64);
        self.text(link.encoding(), &mut text);
        let text = Text::from_utf8(text.into()).unwrap_or_default();
        let binary = attachments.iter().cloned().map(Data::Binary);
        let messages: Vec<_> = std::iter::once(Data::Text(text)).chain(binary).collect();
        link.send_all(&messages, options)
    }
}
