use std::sync::Arc;
use std::task::Waker;

use antiphon_access::{Caller, Gcra};
use antiphon_hub::Subscription;
use antiphon_model::{ChannelId, Monotonic, SessionId};
use bytes::Bytes;

use crate::Close;
use crate::connection::ConnectionKey;
use crate::format::Framing;
use crate::outbox::Outbox;
use crate::stream::StreamOptions;

/// A session's place among those of its worker. Used again after the session; its [`SessionId`] is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionKey(pub(crate) u32);

/// A client that listens, or may.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) caller: Arc<Caller>,
    pub(crate) listening: Vec<ListeningTo>,
    pub(crate) joined: Vec<Arc<ChannelId>>,
    pub(crate) outbox: Outbox,
    pub(crate) link: Link,
    pub(crate) protocol: &'static str,
    pub(crate) rate: Gcra,
    /// Whether it stands in the worker's list of those to flush.
    pub(crate) dirty: bool,
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
}

/// What carries a session's bytes.
pub(crate) enum Link {
    /// A WebSocket connection.
    Socket { connection: ConnectionKey, framing: Framing },
    /// An HTTP answer that hyper writes.
    Stream { waker: Option<Waker>, options: StreamOptions },
}

impl Session {
    pub(crate) fn framing(&self) -> Framing {
        match self.link {
            Link::Socket { framing, .. } => framing,
            Link::Stream { .. } => Framing::None,
        }
    }

    /// Whether it takes part no more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) fn heartbeat(&self, now: Monotonic) -> Option<Bytes> {
        let Link::Stream { options, .. } = &self.link else { return None };
        let (after, bytes) = options.heartbeat.as_ref()?;
        (now.since(self.last_sent) >= *after && self.outbox.is_empty()).then(|| bytes.clone())
    }
}
