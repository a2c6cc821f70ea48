use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use antiphon_access::{Caller, Gcra};
use antiphon_hub::Subscription;
use antiphon_model::{ChannelId, Monotonic, Position, SessionId};
use antiphon_node::Begins;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::connection::ConnectionKey;
use crate::format::Framing;
use crate::outbox::Outbox;
use crate::stream::StreamOptions;
use crate::{Close, Format};

/// A session's place among those of its worker. Used again after the session; its [`SessionId`] is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(pub(crate) u32);

/// How a session's subscriptions are written, given the format that they were asked for in.
pub(crate) type FormatMap = Rc<dyn Fn(&'static Format) -> &'static Format>;

/// A format as a session with this map is sent it.
pub(crate) fn mapped(map: Option<&FormatMap>, format: &'static Format) -> &'static Format {
    map.map_or(format, |map| map(format))
}

/// A client that listens, or may.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Who it is, once that is known: until then it may nothing.
    pub(crate) caller: Option<Arc<Caller>>,
    /// Mostly one, which has a place of its own.
    pub(crate) listening: SmallVec<[ListeningTo; 1]>,
    pub(crate) joined: Vec<Arc<ChannelId>>,
    pub(crate) outbox: Outbox,
    pub(crate) link: Link,
    pub(crate) protocol: &'static str,
    /// Whether what it listens to counts against the rates of subscribing.
    pub(crate) begins: Begins,
    pub(crate) rate: Gcra,
    pub(crate) formats: Option<FormatMap>,
    /// Whether it stands in the worker's list of those to flush.
    pub(crate) dirty: bool,
    /// How much the worker's thread had pushed into inboxes when the session last began to listen: what was pushed up to then
    /// is not what its next messages have to come after.
    pub(crate) begun: u64,
    /// How many of its messages wait for their turn among what lies in the worker's inbox.
    pub(crate) waiting: u32,
    /// Whether its close waits for its turn among what lies in the worker's inbox.
    pub(crate) leaving: bool,
    /// Why it is to be closed, once its outbox is written.
    pub(crate) closing: Option<Box<Closing>>,
    pub(crate) last_sent: Monotonic,
}

/// A session is to be closed.
pub(crate) struct Closing {
    pub(crate) close: Close,
    /// Since when: a peer that does not read is not waited for.
    pub(crate) since: Monotonic,
}

/// A channel that a session listens to.
pub(crate) struct ListeningTo {
    pub(crate) channel: Arc<ChannelId>,
    pub(crate) subscription: Subscription,
    /// What was published there after this came live.
    pub(crate) from: Position,
    /// Whether its end waits for its turn among what lies in the worker's inbox.
    pub(crate) ending: bool,
}

/// What carries a session's bytes.
pub(crate) enum Link {
    /// A WebSocket connection.
    Socket {
        connection: ConnectionKey,
        framing: Framing,
        /// Whether the socket took less than there was, and has not taken the rest since.
        blocked: bool,
    },
    /// An HTTP answer that hyper writes.
    Stream(Box<StreamLink>),
}

/// An HTTP answer that carries a session's bytes.
pub(crate) struct StreamLink {
    pub(crate) waker: Option<Waker>,
    pub(crate) options: StreamOptions,
    /// Whether somebody waits for what comes next, or has not begun to.
    pub(crate) awaited: bool,
}

impl Session {
    pub(crate) fn framing(&self) -> Framing {
        match self.link {
            Link::Socket { framing, .. } => framing,
            Link::Stream(_) => Framing::None,
        }
    }

    /// Whether it takes part no more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether what is sent at this moment would have to wait for its peer.
    pub(crate) fn is_blocked(&self) -> bool {
        match &self.link {
            Link::Socket { blocked, .. } => *blocked,
            Link::Stream(stream) => !stream.awaited,
        }
    }

    pub(crate) fn listens_to(&self, channel: &ChannelId) -> bool {
        self.listening.iter().any(|one| *one.channel == *channel && !one.ending)
    }

    /// To how many channels it may listen.
    pub(crate) fn subscriptions_max(&self) -> usize {
        self.caller.as_ref().map_or(0, |caller| caller.limits.subscriptions_per_session_max)
    }

    pub(crate) fn heartbeat(&self, now: Monotonic) -> Option<Bytes> {
        let Link::Stream(stream) = &self.link else { return None };
        let (after, bytes) = stream.options.heartbeat.as_ref()?;
        (now.since(self.last_sent) >= *after && self.outbox.is_empty()).then(|| bytes.clone())
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::connection::{Connection, Open};

    /// What there is for each client, and most of what an idle one takes: whoever needs more finds a place for it that only those pay
    /// who use it.
    #[test]
    fn a_client_at_rest_is_small() {
        // A debug build's sockets know which epoll set they are in.
        let debug = if cfg!(debug_assertions) { 16 } else { 0 };
        for (what, size, most) in [
            ("session", size_of::<Session>(), 256),
            ("connection", size_of::<Connection>(), 112 + debug),
            ("WebSocket", size_of::<Open>(), 112),
        ] {
            assert!(size <= most, "{what}: {size} bytes");
        }
    }
}
