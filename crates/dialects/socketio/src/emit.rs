//! What is sent: to whom, as which publications, and the answers to it.
//!
//! What goes to rooms is published on their channels, so that listeners of other dialects have it too and each worker encodes
//! it once. What goes to one socket is written into its outbox, unless its own room is a channel: then it is published like
//! the rest, and a client that comes back gets it.

mod ack_id;
mod broadcasts;
mod direct;
mod drafts;
mod error;
mod socket;
mod targets;

pub(crate) use ack_id::{broadcast_ack_id, broadcast_position};
pub use broadcasts::{BroadcastAckError, BroadcastAcks, BroadcastResponse};
pub(crate) use broadcasts::{Broadcasts, handle_broadcast_ack, handle_disconnected};
pub(crate) use drafts::Route;
pub use error::EmitError;
pub use socket::SocketOperator;
pub(crate) use targets::Targets;

use std::time::Duration;

use antiphon_model::{Compress, Payload};
use serde::Serialize;

use crate::RESERVED_EVENTS;
use crate::arguments::to_payload;

/// An event that is on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Emission {
    pub(crate) name: Box<str>,
    pub(crate) payload: Payload,
    pub(crate) flags: Flags,
}

/// How an event is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) volatile: bool,
    pub(crate) compress: Compress,
    pub(crate) timeout: Option<Duration>,
    /// In this process only.
    pub(crate) local: bool,
}

impl Emission {
    pub(crate) fn new(name: &str, arguments: impl Serialize, flags: Flags) -> Result<Emission, EmitError> {
        if RESERVED_EVENTS.contains(&name) {
            return Err(EmitError::ReservedEvent);
        }
        Ok(Emission { name: name.into(), payload: to_payload(&arguments)?, flags })
    }
}
