//! What a peer can do wrong once the connection is open.

use std::fmt;

use super::CloseCode;

/// A violation by the peer that ends the connection.
///
/// [`close_code`](ProtocolError::close_code) and [`reason`](ProtocolError::reason) are what the close frame says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV2 or RSV3 is set, which no extension gives a meaning.
    ReservedBits,
    /// RSV1 is set and permessage-deflate was not agreed on.
    CompressionNotNegotiated,
    /// RSV1 is set on a control frame or on a continuation.
    CompressionMisplaced,
    /// The opcode has no meaning.
    ReservedOpcode,
    /// A control frame came in fragments.
    FragmentedControl,
    /// A control frame has a payload of more than 125 bytes.
    LongControl,
    /// A client sent an unmasked frame.
    NotMasked,
    /// A server sent a masked frame.
    Masked,
    /// A length was written in more bytes than it needs.
    LengthNotMinimal,
    /// The highest bit of a 64-bit length is set.
    LengthOverflow,
    /// A continuation came without a message to continue.
    UnexpectedContinuation,
    /// A new message began inside another.
    ExpectedContinuation,
    /// A close frame has a payload of one byte, which is no code.
    CloseTooShort,
    /// A close frame has a code that must not be sent.
    InvalidCloseCode,
    /// A text message or a close reason is not UTF-8.
    InvalidUtf8,
    /// A compressed message does not inflate.
    InvalidDeflate,
    /// A message is larger than the limit, as sent or inflated.
    MessageTooBig,
    /// A message has more than [`EMPTY_FRAGMENTS_MAX`](super::EMPTY_FRAGMENTS_MAX) empty fragments.
    TooManyFragments,
}

impl ProtocolError {
    /// The code of the close frame that answers it.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        self.answer().0
    }

    /// The reason of the close frame that answers it: a short English sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.answer().1
    }

    const fn answer(self) -> (CloseCode, &'static str) {
        const PROTOCOL: CloseCode = CloseCode::PROTOCOL_ERROR;
        const PAYLOAD: CloseCode = CloseCode::INVALID_PAYLOAD;
        const TOO_BIG: CloseCode = CloseCode::TOO_BIG;
        match self {
            Self::ReservedBits => (PROTOCOL, "a reserved bit is set"),
            Self::CompressionNotNegotiated => (PROTOCOL, "compression was not negotiated"),
            Self::CompressionMisplaced => {
                (PROTOCOL, "only the first frame of a message says it is compressed")
            }
            Self::ReservedOpcode => (PROTOCOL, "the opcode is reserved"),
            Self::FragmentedControl => (PROTOCOL, "a control frame must not be fragmented"),
            Self::LongControl => (PROTOCOL, "a control frame carries at most 125 bytes"),
            Self::NotMasked => (PROTOCOL, "a client must mask its frames"),
            Self::Masked => (PROTOCOL, "a server must not mask its frames"),
            Self::LengthNotMinimal => (PROTOCOL, "a length must be written in the fewest bytes"),
            Self::LengthOverflow => (PROTOCOL, "a length must be below 2^63"),
            Self::UnexpectedContinuation => (PROTOCOL, "there is no message to continue"),
            Self::ExpectedContinuation => (PROTOCOL, "the message before is not finished"),
            Self::CloseTooShort => (PROTOCOL, "a close code has two bytes"),
            Self::InvalidCloseCode => (PROTOCOL, "the close code must not be sent"),
            Self::InvalidUtf8 => (PAYLOAD, "text must be UTF-8"),
            Self::InvalidDeflate => (PAYLOAD, "the compressed message does not inflate"),
            Self::MessageTooBig => (TOO_BIG, "the message is too big"),
            Self::TooManyFragments => (TOO_BIG, "the message has too many empty fragments"),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
