use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::pam::Permit;
use antiphon_access::{Caller, Keyset};
use antiphon_hub::Org;
use antiphon_model::ChannelId;
use antiphon_net::Worker;
use antiphon_net::request::RequestBody;
use antiphon_node::Node;
use bytes::Bytes;
use http::request::Parts;

use crate::PubNubSettings;
use crate::endpoint::Local;
use crate::pubnub::Shared;
use crate::router::Captures;
use crate::wire::error::Refusal;
use crate::wire::names;
use crate::wire::query::Query;

/// A request that has passed the gate: its keyset is known, its signature is right if it has one, and what it may is known.
///
/// That it may do what it asks for is for its route to ask, of [`Request::permit`].
pub(crate) struct Request {
    pub(crate) shared: Arc<Shared>,
    /// What this worker keeps.
    pub(crate) local: Rc<Local>,
    pub(crate) worker: Worker,
    pub(crate) head: Parts,
    pub(crate) keyset: Arc<Keyset>,
    pub(crate) permit: Permit,
    /// Who asks, as the node is told: by his uuid, else by a random name.
    pub(crate) caller: Arc<Caller>,
    /// What the client calls itself, if it says so.
    pub(crate) uuid: Option<Box<str>>,
    /// The names in its path.
    pub(crate) path: Captures,
    pub(crate) query: Query,
    /// All of it, decompressed.
    pub(crate) body: Bytes,
}

/// A request whose body has not been read, for routes that read it piece by piece. Nobody has checked who sends it, beyond that it
/// names a keyset.
pub(crate) struct Unread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) worker: Worker,
    pub(crate) head: Parts,
    pub(crate) keyset: Arc<Keyset>,
    pub(crate) path: Captures,
    pub(crate) body: RequestBody,
}

impl Request {
    pub(crate) fn settings(&self) -> &PubNubSettings {
        &self.shared.settings
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        self.worker.node()
    }

    pub(crate) fn hub(&self) -> &Arc<Org> {
        &self.node().org(&self.keyset.org).hub
    }

    /// The channel whose name stands at `{name}` of the path.
    ///
    /// # Errors
    /// No channel can be called that.
    pub(crate) fn channel(&self, name: &str) -> Result<Arc<ChannelId>, Refusal> {
        Ok(names::channel(self.path.of(name))?)
    }

    /// The uuid, for what cannot be done by nobody.
    ///
    /// # Errors
    /// The client does not say it.
    pub(crate) fn needs_uuid(&self) -> Result<&str, Refusal> {
        self.uuid.as_deref().ok_or_else(|| Refusal::bad("Missing uuid"))
    }
}
