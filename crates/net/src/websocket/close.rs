//! Close codes and the closing handshake, RFC 6455 sections 5.5.1 and 7.

/// A close code that may be sent, RFC 6455 section 7.4: 1000 to 1003, 1007 to 1014, 3000 to 4999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: data of a kind that is not accepted here.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a payload is not what its kind promises, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: not permitted.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: the server failed.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the server restarts; reconnect.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: too slow or over a limit; reconnect later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// The code, if it may be sent.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

/// How far the closing handshake of a connection is.
///
/// ```text
///   Open ──send──▶ Sent ──receive──▶ Finished
///     └─────receive, and answer─────────▲
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CloseState {
    /// Neither side has sent a close frame.
    #[default]
    Open,
    /// Ours is sent, theirs is awaited; nothing but theirs matters, and data may be sent no more.
    Sent,
    /// Both are sent: the server closes the transport once its bytes are written.
    Finished,
}

/// What to do with a close frame that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnClose {
    /// Send a close frame with this code, then close the transport.
    Answer(Option<CloseCode>),
    /// Close the transport.
    HangUp,
}

impl CloseState {
    /// Notes that a close frame is sent by our own wish; false if one was sent before, and then none must follow.
    #[must_use]
    pub fn send(&mut self) -> bool {
        let first = *self == Self::Open;
        if first {
            *self = Self::Sent;
        }
        first
    }

    /// Takes in the peer's close frame.
    #[must_use]
    pub fn receive(&mut self, code: Option<CloseCode>) -> OnClose {
        match std::mem::replace(self, Self::Finished) {
            Self::Open => OnClose::Answer(code),
            Self::Sent | Self::Finished => OnClose::HangUp,
        }
    }

    /// True as long as data frames may be sent.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_for_the_wire_are_codes() {
        for code in [1000, 1001, 1002, 1003, 1007, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::value), Some(code));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
    }

    #[test]
    fn each_side_sends_one_close_frame() {
        let mut ours_first = CloseState::default();
        assert!(ours_first.send());
        assert!(!ours_first.is_open());
        assert!(!ours_first.send());
        assert_eq!(ours_first.receive(Some(CloseCode::NORMAL)), OnClose::HangUp);
        assert_eq!(ours_first, CloseState::Finished);

        let mut theirs_first = CloseState::default();
        assert_eq!(theirs_first.receive(None), OnClose::Answer(None));
        assert!(!theirs_first.send());
        assert_eq!(theirs_first.receive(None), OnClose::HangUp);
    }
}
