use bytes::Bytes;

use super::{AckId, Body, Version};
use crate::wire::data::{Arguments, EventData, Strings, parse_object};
use crate::wire::error::DecodeError;
use crate::wire::namespace::Namespace;

/// The types of the protocol, without what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

impl Kind {
    pub(crate) fn from_number(number: u64) -> Option<Kind> {
        Some(match number {
            0 => Kind::Connect,
            1 => Kind::Disconnect,
            2 => Kind::Event,
            3 => Kind::Ack,
            4 => Kind::ConnectError,
            5 => Kind::BinaryEvent,
            6 => Kind::BinaryAck,
            _ => return None,
        })
    }

    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Kind::BinaryEvent | Kind::BinaryAck)
    }

    pub(crate) fn of(body: &Body) -> Kind {
        match body {
            Body::Connect { .. } => Kind::Connect,
            Body::Disconnect => Kind::Disconnect,
            Body::Event { .. } => Kind::Event,
            Body::Ack { .. } => Kind::Ack,
            Body::ConnectError { .. } => Kind::ConnectError,
            Body::BinaryEvent { .. } => Kind::BinaryEvent,
            Body::BinaryAck { .. } => Kind::BinaryAck,
        }
    }

    pub(crate) fn digit(self) -> u8 {
        match self {
            Kind::Connect => b'0',
            Kind::Disconnect => b'1',
            Kind::Event => b'2',
            Kind::Ack => b'3',
            Kind::ConnectError => b'4',
            Kind::BinaryEvent => b'5',
            Kind::BinaryAck => b'6',
        }
    }
}

/// What a packet is made of, before it is known to fit together.
pub(crate) struct Parts {
    pub(crate) version: Version,
    pub(crate) kind: Kind,
    pub(crate) attachments: usize,
    pub(crate) query: Option<Box<str>>,
    pub(crate) ack: Option<AckId>,
    pub(crate) payload: Option<Bytes>,
}

impl Parts {
    /// Checks that each type has what it has to have, and nothing else.
    pub(crate) fn assemble(self) -> Result<Body, DecodeError> {
        let is_answer = matches!(self.kind, Kind::Ack | Kind::BinaryAck);
        let is_event = matches!(self.kind, Kind::Event | Kind::BinaryEvent);
        if self.ack.is_some() && !is_answer && !is_event {
            return Err(DecodeError::UnexpectedAckId);
        }
        match self.kind {
            Kind::Connect => self.connect(),
            Kind::Disconnect if self.payload.is_some() => Err(DecodeError::UnexpectedPayload),
            Kind::Disconnect => Ok(Body::Disconnect),
            Kind::Event => Ok(Body::Event { ack: self.ack, data: self.event_data()? }),
            Kind::BinaryEvent => Ok(Body::BinaryEvent {
                attachments: self.attachments,
                ack: self.ack,
                data: self.event_data()?,
            }),
            Kind::Ack => Ok(Body::Ack { ack: self.answered()?, data: self.arguments()? }),
            Kind::BinaryAck => Ok(Body::BinaryAck {
                attachments: self.attachments,
                ack: self.answered()?,
                data: self.arguments()?,
            }),
            Kind::ConnectError => self.connect_error(),
        }
    }

    fn connect(self) -> Result<Body, DecodeError> {
        let payload = match (self.version, self.payload) {
            (Version::V4, Some(_)) => return Err(DecodeError::UnexpectedPayload),
            (_, None) => None,
            (Version::V5, Some(payload)) => Some(parse_object(payload, Strings::Refused)?),
        };
        Ok(Body::Connect { query: self.query, payload })
    }

    fn connect_error(self) -> Result<Body, DecodeError> {
        let strings = match self.version {
            Version::V4 => Strings::Taken,
            Version::V5 if self.payload.is_none() => return Err(DecodeError::MissingPayload),
            Version::V5 => Strings::Refused,
        };
        let payload = self.payload.map(|payload| parse_object(payload, strings)).transpose()?;
        Ok(Body::ConnectError { payload })
    }

    fn answered(&self) -> Result<AckId, DecodeError> {
        self.ack.ok_or(DecodeError::MissingAckId)
    }

    fn event_data(self) -> Result<EventData, DecodeError> {
        EventData::parse(self.payload.ok_or(DecodeError::MissingPayload)?)
    }

    /// Version 4 lets an answer without arguments go without an array.
    fn arguments(self) -> Result<Arguments, DecodeError> {
        match (self.payload, self.version, self.kind) {
            (Some(payload), _, _) => Arguments::parse(payload),
            (None, Version::V4, Kind::Ack) => Arguments::parse(Bytes::from_static(b"[]")),
            (None, _, _) => Err(DecodeError::MissingPayload),
        }
    }
}

/// The namespace, and in version 4 the query apart from it. Only a CONNECT has a use for the query.
pub(crate) fn split_query(
    written: Bytes,
    version: Version,
    kind: Kind,
) -> Result<(Namespace, Option<Box<str>>), DecodeError> {
    let mark = written.iter().position(|byte| *byte == b'?').filter(|_| version == Version::V4);
    let name = Namespace::new(written.slice(..mark.unwrap_or(written.len())))?;
    let query = match mark {
        Some(mark) if kind == Kind::Connect => {
            Some(std::str::from_utf8(&written[mark + 1..]).map_err(|_| DecodeError::NotUtf8)?.into())
        }
        _ => None,
    };
    // A session keeps the namespace for longer than the message that it came in.
    Ok(if kind == Kind::Connect { (name.detached(), query) } else { (name, query) })
}
