//! How a publication on a room's channel is written for Socket.IO clients: one format for each encoding of the transport, each
//! parser, and with the offset of connection state recovery or without it.
//!
//! Subscribers of one format share its bytes, whatever room or namespace they are in: what a packet says of these comes from the
//! channel. A publication whose name is reserved is not written: clients would take it for a message of their library.

mod event;
#[cfg(test)]
mod tests;

use antiphon_engineio::Encoding;
use antiphon_model::{Expects, Kind, Publication};
use antiphon_net::{Format, Messages};

pub(crate) use event::{EventPacket, Tail};

use crate::emit::broadcast_ack_id;
use crate::{Parser, RESERVED_EVENTS, channels};

/// Whether events say where they stand, so that a client that comes back can say up to where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offsets {
    /// The last argument is the position, but for events that are volatile or want acknowledgements.
    Written,
    /// Events have no arguments but their own.
    LeftOut,
}

/// How the subscriptions of a connection are written.
pub(crate) fn format(encoding: Encoding, parser: Parser, offsets: Offsets) -> &'static Format {
    &FORMATS[encoding.index()][usize::from(parser == Parser::Msgpack)]
        [usize::from(offsets == Offsets::Written)]
}

/// The same format for another encoding of the transport; a format that is not of this dialect stays as it is.
pub(crate) fn translate(format: &'static Format, to: Encoding) -> &'static Format {
    let kinds = FORMATS.iter().flat_map(|of_encoding| of_encoding.iter().enumerate());
    for (parser, of_parser) in kinds {
        if let Some(offsets) = of_parser.iter().position(|one| std::ptr::eq(one, format)) {
            return &FORMATS[to.index()][parser][offsets];
        }
    }
    format
}

/// By encoding, parser and offsets.
static FORMATS: [[[Format; 2]; 2]; Encoding::ALL.len()] = [
    formats::<0>(),
    formats::<1>(),
    formats::<2>(),
    formats::<3>(),
    formats::<4>(),
    formats::<5>(),
    formats::<6>(),
];

const fn formats<const ENCODING: usize>() -> [[Format; 2]; 2] {
    [
        [
            Format { name: "socketio", encode: encode::<ENCODING, false, false> },
            Format { name: "socketio with offset", encode: encode::<ENCODING, false, true> },
        ],
        [
            Format { name: "socketio msgpack", encode: encode::<ENCODING, true, false> },
            Format { name: "socketio msgpack with offset", encode: encode::<ENCODING, true, true> },
        ],
    ]
}

fn encode<const ENCODING: usize, const MSGPACK: bool, const OFFSETS: bool>(
    publication: &Publication,
    messages: &mut Messages<'_>,
) {
    let parser = if MSGPACK { Parser::Msgpack } else { Parser::Default };
    let offsets = if OFFSETS { Offsets::Written } else { Offsets::LeftOut };
    write(publication, offsets, |packet| packet.write(Encoding::ALL[ENCODING], parser, messages));
}

/// Makes a packet of a publication, if it has a place on this wire.
fn write(publication: &Publication, offsets: Offsets, written: impl FnOnce(&EventPacket<'_>)) {
    let name = publication.name_or_default();
    let namespace = channels::written_namespace(&publication.channel);
    let ack = match publication.expects {
        Expects::Replies => broadcast_ack_id(publication.position),
        Expects::Nothing => None,
    };
    let tail = match (offsets, ack, publication.kind) {
        (Offsets::LeftOut, ..) | (_, Some(_), _) => Tail::Nothing,
        (Offsets::Written, None, Kind::Signal) => Tail::behind(&publication.payload),
        (Offsets::Written, None, _) => Tail::Offset(publication.position),
    };
    let names = [name];
    // Somebody came or went: of the room, and what happened, before who it was.
    let presence = ["presence", publication.channel.name(), name];
    let names = if publication.kind == Kind::Presence { &presence[..] } else { &names[..] };
    if RESERVED_EVENTS.contains(&names[0]) {
        return;
    }
    written(&EventPacket {
        namespace: namespace.as_deref().unwrap_or("/"),
        ack,
        names,
        payload: &publication.payload,
        tail,
    });
}
