use antiphon_engineio::{Link, SendError, SendOptions, Sent};

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
        let sent = link.send_text(options, |out| self.text(out))?;
        if sent == Sent::Dropped {
            return Ok(sent);
        }
        for attachment in attachments(self.payload) {
            // The client awaits them by now.
            link.send_binary(attachment, SendOptions { volatile: false, ..options })?;
        }
        Ok(sent)
    }
}
