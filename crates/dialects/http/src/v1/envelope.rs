//! The messages of the subprotocol: what a client's text asks for, and how it is answered.
//!
//! Decoding is one pass over the text; payloads and states are kept as the JSON they are. Bytes of any sort do no more
//! harm than an error that names the member which is wrong.

pub(crate) mod answer;
mod decoder;
mod id;
mod invalid;
mod list;
mod members;

use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{LimitSettings, Secret};
use antiphon_model::{ChannelId, Draft, Payload, Position, RawJson};

pub(crate) use decoder::Decoder;
pub(crate) use id::Id;
pub(crate) use invalid::{Invalid, Malformed};

/// How far a client's messages may go.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// The limits of its org.
    pub(crate) limits: Arc<LimitSettings>,
    /// The highest `limit` of a history.
    pub(crate) history_limit_max: usize,
    /// What the `timeout` of a broadcast is cut to.
    pub(crate) broadcast_timeout_max: Duration,
}

/// What a client asks for, under the name that it gave.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) id: Option<Id>,
    pub(crate) request: Request,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Publish { draft: Draft, echo: Echo },
    Broadcast { id: Id, draft: Draft, echo: Echo, timeout: Duration, until: Option<usize> },
    Reply { channel: Arc<ChannelId>, to: Position, payload: Payload },
    Ping,
    Ordered(Ordered),
}

/// What is done one after the other, in the order asked.
#[derive(Clone, Debug)]
pub(crate) enum Ordered {
    Subscribe(Vec<Subscription>),
    Unsubscribe(Vec<Arc<ChannelId>>),
    Presence(Arc<ChannelId>),
    State {
        channel: Arc<ChannelId>,
        state: Option<RawJson>,
    },
    History {
        channel: Arc<ChannelId>,
        since: Option<Position>,
        limit: usize,
    },
    /// With this credential from here on.
    Authenticate(Secret),
}

/// Whether a client gets its own publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    Yes,
    No,
}

/// A channel that a client wants to listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) channel: Arc<ChannelId>,
    /// After which position; none is from here on.
    pub(crate) since: Option<Position>,
    /// Only these event names; none means all.
    pub(crate) events: Vec<Box<str>>,
    /// Presence events too.
    pub(crate) presence: bool,
    pub(crate) join: Join,
}

/// Whether a listener is counted as present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    No,
    /// With this state.
    Yes(Option<RawJson>),
}

#[cfg(test)]
mod tests;
