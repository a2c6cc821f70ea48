use antiphon_model::{InvalidPlaceholders, JSON_DEPTH_MAX};

/// What came is not a packet that is taken. The connection is to be closed: what follows cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the packet is empty")]
    Empty,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// The type is none of the protocol's.
    #[error("no packet has this type")]
    UnknownType,
    /// More bytes than [`Limits::packet_bytes_max`](crate::Limits::packet_bytes_max).
    #[error("the packet has too many bytes")]
    TooLarge,
    /// The number of attachments is missing or not a plain decimal number.
    #[error("the number of attachments is malformed")]
    InvalidAttachmentCount,
    /// More attachments than [`Limits::attachments_max`](crate::Limits::attachments_max).
    #[error("too many attachments")]
    TooManyAttachments,
    /// The namespace does not begin with `/`, or has a comma in it.
    #[error("the namespace is malformed")]
    InvalidNamespace,
    /// More bytes than [`Limits::namespace_bytes_max`](crate::Limits::namespace_bytes_max).
    #[error("the namespace is too long")]
    NamespaceTooLong,
    /// The id is not a plain decimal number, or more than is taken.
    #[error("the acknowledgement's id is malformed or too large")]
    InvalidAckId,
    /// An acknowledgement says not what it acknowledges.
    #[error("the acknowledgement has no id")]
    MissingAckId,
    /// A packet that cannot be acknowledged has an id.
    #[error("a packet of this type has no id")]
    UnexpectedAckId,
    /// The payload is not JSON.
    #[error("the payload is not valid JSON")]
    InvalidJson,
    /// The payload nests deeper than [`JSON_DEPTH_MAX`].
    #[error("the payload nests deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// The payload is missing.
    #[error("a packet of this type has a payload")]
    MissingPayload,
    /// A payload stands where none may.
    #[error("a packet of this type has no payload")]
    UnexpectedPayload,
    /// The payload is not of the shape that the type asks for.
    #[error("the payload is not of the shape that the packet's type asks for")]
    InvalidPayload,
    /// The event has no name, or it is neither a string nor an integer.
    #[error("the event has no valid name")]
    InvalidEventName,
    /// The name belongs to the library that clients use: see [`RESERVED_EVENTS`](crate::RESERVED_EVENTS).
    #[error("the event's name is reserved")]
    ReservedEvent,
    /// Text came while an attachment was due.
    #[error("text came where an attachment was due")]
    AttachmentDue,
    /// A binary message came while none was due.
    #[error("a binary message came where no attachment was due")]
    UnexpectedAttachment,
    /// A placeholder is malformed, or points beyond the attachments.
    #[error("a placeholder points to no attachment")]
    IllegalPlaceholder,
    /// Two placeholders point to one attachment.
    #[error("two placeholders point to one attachment")]
    DuplicatePlaceholder,
    /// No placeholder points to an attachment.
    #[error("no placeholder points to an attachment")]
    MissingPlaceholder,
    /// It is not MessagePack, is cut short, or has something after it.
    #[error("the packet is not valid MessagePack")]
    InvalidMsgpack,
    /// It is MessagePack that JSON clients cannot be told: a key that is no string, or an unknown extension.
    #[error("the packet has a MessagePack value that is not supported")]
    UnsupportedMsgpack,
}

impl From<InvalidPlaceholders> for DecodeError {
    fn from(error: InvalidPlaceholders) -> DecodeError {
        match error {
            InvalidPlaceholders::Illegal => DecodeError::IllegalPlaceholder,
            InvalidPlaceholders::Duplicate => DecodeError::DuplicatePlaceholder,
            InvalidPlaceholders::Missing => DecodeError::MissingPlaceholder,
        }
    }
}

/// What was to be encoded cannot be: our own caller's mistake, or a publication that Socket.IO has no form for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The event's name is reserved: clients would take it for a message of their library.
    #[error("the event's name is reserved")]
    ReservedEvent,
    /// JSON that goes with attachments has an object that clients would take for a placeholder.
    #[error("JSON that goes with attachments has something like a placeholder in it")]
    PlaceholderInData,
}
