//! As much Socket.IO as the loads take: packets are told apart by how they begin, and what is in them is not looked at.

/// The packet that opens the Engine.IO session. Pings would come too late for any run.
pub(super) const OPEN: &str = concat!(
    r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":3600000,"#,
    r#""pingTimeout":3600000,"maxPayload":16777216}"#
);

/// What takes a client into the default namespace.
pub(super) const CONNECTED: &str = r#"40{"sid":"BBBBBBBBBBBBBBBBBBBB"}"#;

/// A packet of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Connect,
    /// An answer to a ping.
    Pong,
    /// The client wants to be in the room.
    Join {
        id: &'a [u8],
    },
    /// What is behind the event's name is for everyone in the room.
    Broadcast {
        rest: &'a [u8],
    },
    /// What is behind the event's name is to be acknowledged as it is.
    Echo {
        id: &'a [u8],
        rest: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` for what no load sends.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            b"40" => return Some(Self::Connect),
            b"3" => return Some(Self::Pong),
            _ => {}
        }
        let event = bytes.strip_prefix(b"42")?;
        if let Some(rest) = event.strip_prefix(b"[\"broadcast\",") {
            return Some(Self::Broadcast { rest });
        }
        let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (id, event) = event.split_at(digits);
        if event == b"[\"join\"]" {
            return Some(Self::Join { id });
        }
        let rest = event.strip_prefix(b"[\"echo\",")?;
        Some(Self::Echo { id, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_the_loads_are_told_apart() {
        for (bytes, expected) in [
            (&b"40"[..], Some(Packet::Connect)),
            (b"3", Some(Packet::Pong)),
            (br#"420["join"]"#, Some(Packet::Join { id: b"0" })),
            (br#"42["broadcast","x"]"#, Some(Packet::Broadcast { rest: br#""x"]"# })),
            (br#"4217["echo","x"]"#, Some(Packet::Echo { id: b"17", rest: br#""x"]"# })),
            (br#"42["other"]"#, None),
            (b"41", None),
            (b"", None),
        ] {
            assert_eq!(Packet::read(bytes), expected);
        }
    }
}
