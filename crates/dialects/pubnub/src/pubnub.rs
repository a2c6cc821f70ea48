use std::sync::Arc;

use antiphon_access::HostPolicy;
use antiphon_net::Worker;
use antiphon_node::{Node, StoreError};

use crate::cursors::Cursors;
use crate::files::Files;
use crate::grants::Grants;
use crate::groups::Groups;
use crate::routes::ROUTES;
use crate::states::States;
use crate::ticks::Ticks;
use crate::{InvalidPubNubSettings, PubNubEndpoint, PubNubSettings};

/// The PubNub-compatible API of a server: what all its workers share.
#[derive(Clone)]
pub struct PubNub(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: PubNubSettings,
    pub(crate) hosts: HostPolicy,
    pub(crate) groups: Groups,
    pub(crate) files: Files,
    pub(crate) grants: Grants,
    pub(crate) states: States,
    pub(crate) cursors: Cursors,
    /// For what has a timetoken and no place in a channel.
    pub(crate) ticks: Ticks,
}

impl PubNub {
    /// Where the endpoint is to be mounted: each of these, and what is below.
    pub const PREFIXES: &[&str] = &[
        "/time",
        "/publish",
        "/signal",
        "/v2/subscribe",
        "/v2/presence",
        "/v2/history",
        "/v3/history",
        "/v3/history-with-actions",
        "/v1/message-actions",
        "/v1/channel-registration",
        "/v1/push",
        "/v2/push",
        "/v2/objects",
        "/v1/files",
        "/v3/pam",
        "/v2/auth",
    ];

    /// Puts it together. `hosts` are the names that the server answers to: where they are local ones alone, so are the pages
    /// that it answers.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: PubNubSettings, hosts: HostPolicy) -> Result<PubNub, InvalidPubNubSettings> {
        settings.check()?;
        let states = States::new(settings.states_kept_max);
        let cursors = Cursors::new(settings.cursors_kept_max);
        let groups = Groups::new(settings.groups_max, settings.channels_per_group_max);
        let files = Files::new(settings.files_dir.clone());
        Ok(PubNub(Arc::new(Shared {
            settings,
            hosts,
            groups,
            files,
            grants: Grants::default(),
            states,
            cursors,
            ticks: Ticks::default(),
        })))
    }

    /// Reads from the store what is answered from memory, and opens the directory of files. To be called once, before the first
    /// request; blocks.
    ///
    /// # Errors
    /// The store cannot be read, or the directory not be used.
    pub fn restore(&self, node: &Node) -> Result<(), StoreError> {
        self.0.groups.restore(node)?;
        self.0.grants.restore(node)?;
        self.0.files.restore(&self.0.settings, node)
    }

    /// What answers requests on a worker: to be mounted at each of [`PubNub::PREFIXES`].
    pub fn endpoint(&self, _worker: &Worker) -> PubNubEndpoint {
        PubNubEndpoint::new(Arc::clone(&self.0))
    }

    /// The method and path of every route, `{…}` for what differs, in the order in which they are looked at: so that a test can see
    /// that none is forgotten.
    pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
        ROUTES.iter().map(|route| (route.method.as_str(), route.pattern))
    }
}
