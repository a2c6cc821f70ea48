//! What is said on a connection that has been upgraded before its load may begin.

use crate::connection::Frame;
use crate::error::Error;
use crate::framing::TEXT;
use crate::target::{Part, Protocol};

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// The packet that opens the Engine.IO session.
    Open,
    /// That the namespace took the client in.
    Connected,
    /// The acknowledgement that the client is in the room.
    Joined,
    /// Nothing more.
    Done,
}

impl Greeting {
    /// How it begins.
    pub(crate) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::WebSocket => Self::Done,
            Protocol::SocketIo => Self::Open,
        }
    }

    /// Takes a frame, and says with what text to answer.
    ///
    /// # Errors
    /// It is not what is waited for.
    pub(crate) fn handle_frame(
        &mut self,
        connection: usize,
        part: Part,
        frame: Frame<'_>,
    ) -> Result<Option<&'static str>, Error> {
        let begins = |with: &[u8]| frame.opcode == TEXT && frame.payload.starts_with(with);
        let (next, answer) = match self {
            Self::Open if begins(b"0{") => (Self::Connected, Some("40")),
            Self::Connected if begins(b"40{") => match part {
                Part::Subscriber => (Self::Joined, Some(r#"420["join"]"#)),
                _ => (Self::Done, None),
            },
            Self::Joined if begins(b"430[") => (Self::Done, None),
            _ => return Err(frame.unexpected(connection)),
        };
        *self = next;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn frame(payload: &str) -> Frame<'_> {
        Frame { opcode: TEXT, payload: payload.as_bytes(), read_at: Instant::now() }
    }

    #[test]
    fn a_subscriber_is_done_once_it_is_in_the_room_and_others_before() {
        for (part, after_connect) in
            [(Part::Subscriber, Some(r#"420["join"]"#)), (Part::Publisher, None), (Part::Idle, None)]
        {
            let mut greeting = Greeting::new(Protocol::SocketIo);
            assert_eq!(greeting.handle_frame(0, part, frame(r#"0{"sid":"x"}"#)).unwrap(), Some("40"));
            assert_eq!(greeting.handle_frame(0, part, frame(r#"40{"sid":"y"}"#)).unwrap(), after_connect);
            if part == Part::Subscriber {
                assert_eq!(greeting.handle_frame(0, part, frame("430[]")).unwrap(), None);
            }
            assert_eq!(greeting, Greeting::Done);
        }
        assert_eq!(Greeting::new(Protocol::WebSocket), Greeting::Done);
    }

    #[test]
    fn a_refusal_is_told() {
        let mut greeting = Greeting::Connected;
        let refused = greeting.handle_frame(7, Part::Idle, frame(r#"44{"message":"no"}"#));
        match refused {
            Err(Error::Unexpected { connection: 7, detail }) => assert!(detail.contains("no"), "{detail}"),
            other => panic!("{other:?}"),
        }
    }
}
