use std::cell::{Cell, RefCell};
use std::sync::Arc;

use antiphon_access::{Caller, ConnectionId};
use antiphon_engineio::Link;
use antiphon_hub::Since;
use antiphon_model::{ChannelId, Timestamp};
use antiphon_net::{Client, Want};

use super::spellings::{Added, SpellingLimits, Spellings};
use crate::exp::Shared;
use crate::formats;
use crate::resume::{self, Ids};
use crate::wire::channel::decode_id;

/// What one client listens to.
pub(super) struct Listener {
    shared: Arc<Shared>,
    link: Link,
    caller: Arc<Caller>,
    connection: ConnectionId,
    spellings: RefCell<Spellings>,
    has_ended: Cell<bool>,
}

impl Listener {
    pub(super) fn new(
        shared: Arc<Shared>,
        link: Link,
        caller: Arc<Caller>,
        connection: ConnectionId,
    ) -> Listener {
        let (spellings, has_ended) = (RefCell::default(), Cell::new(false));
        Listener { shared, link, caller, connection, spellings, has_ended }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Begins, and listens to what this connection listened to before, if that is in memory. Else it has to be read from the store:
    /// [`Listener::handle_read`] is to follow.
    pub(super) fn enter(&self) -> Option<impl Future<Output = Ids> + use<>> {
        match self.shared.resume.enter(&self.connection, self.link.worker().now().monotonic) {
            Some(ids) => {
                self.restore(&ids);
                None
            }
            None => {
                let node = self.link.worker().node();
                Some(resume::read(node, &self.caller.org, &self.connection))
            }
        }
    }

    /// What the connection listened to before has been read.
    pub(super) fn handle_read(&self, ids: Ids) {
        let ids = self.shared.resume.handle_read(&self.connection, ids);
        if !self.has_ended.get() {
            self.restore(&ids);
        }
    }

    fn restore(&self, ids: &[Arc<str>]) {
        if !ids.is_empty() {
            self.listen(ids);
            self.store(ids, self.until());
        }
    }

    /// Listens to what the client asks for, as far as it may. Says which ids it listens to by now, of those asked for.
    pub(super) fn subscribe(&self, ids: Vec<Box<str>>) -> Ids {
        let mut ids: Ids = ids.into_iter().map(Arc::from).collect();
        let new = self.listen(&ids);
        if let Some(ids) = self.shared.resume.note(&self.connection, &new) {
            self.store(&ids, self.until());
        }
        let spellings = self.spellings.borrow();
        ids.retain(|id| spellings.contains(id));
        ids
    }

    /// The socket is gone.
    pub(super) fn leave(&self) {
        self.has_ended.set(true);
        let (now, resume) = (self.link.worker().now(), &self.shared.resume);
        if let Some(ids) = resume.leave(&self.connection, now.monotonic) {
            self.store(&ids, now.wall.later_by(resume.kept_for()));
        }
    }

    /// Listens to what is not listened to yet, as far as it may. Says which ids that were.
    fn listen(&self, ids: &[Arc<str>]) -> Ids {
        let (mut new, mut channels, mut respelled) = (Ids::new(), Vec::new(), Vec::new());
        let limits = self.limits();
        let mut spellings = self.spellings.borrow_mut();
        for id in ids {
            if spellings.contains(id) {
                continue;
            }
            let Some(channel) = self.channel(id) else { continue };
            match spellings.add(id, &channel, &limits) {
                Ok(Added::Channel) => channels.push(channel),
                Ok(Added::Spelling) => respelled.push(channel),
                Err(_) => continue,
            }
            new.push(Arc::clone(id));
        }
        let client = self.link.client();
        for channel in respelled {
            client.relabel(&channel, Some(spellings.label(&channel)));
        }
        let format = formats::format(self.link.encoding());
        let wants = channels.into_iter().map(|channel| Want {
            label: Some(spellings.label(&channel)),
            channel,
            since: Since::Now,
            format,
            filter: None,
            presence: false,
        });
        let wants: Vec<_> = wants.collect();
        let taken = begin(&client, &wants);
        wants[taken..].iter().for_each(|want| spellings.remove(&want.channel));
        new.retain(|id| spellings.contains(id));
        new
    }

    /// The channel of an id, if the client may listen to it.
    fn channel(&self, id: &str) -> Option<Arc<ChannelId>> {
        let channel = decode_id(id).ok()?.within(&self.caller.org).ok()?;
        self.link.worker().node().may_listen(&self.caller, &channel).ok()?;
        Some(Arc::new(channel))
    }

    fn limits(&self) -> SpellingLimits {
        let settings = &self.shared.settings;
        SpellingLimits {
            per_channel_max: settings.spellings_per_channel_max,
            bytes_max: settings.subscription_bytes_max,
        }
    }

    /// Until when the store keeps what a client listens to that is connected: it comes back with its token, or with one that it
    /// got for it.
    fn until(&self) -> Timestamp {
        let lasts = self.shared.settings.token_lifetime;
        let expires = self.caller.expires.unwrap_or_else(|| self.link.worker().now().wall.later_by(lasts));
        expires.later_by(self.shared.resume.kept_for())
    }

    fn store(&self, ids: &[Arc<str>], until: Timestamp) {
        let node = self.link.worker().node();
        resume::store(node, &self.caller.org, &self.connection, ids, until);
    }
}

/// Listens to as many of these as there is room for, from the first on; says how many.
fn begin(client: &Client, wants: &[Want]) -> usize {
    if wants.is_empty() {
        return 0;
    }
    match client.try_listen(wants) {
        Some(Ok(_)) => wants.len(),
        _ if wants.len() == 1 => 0,
        _ => {
            let half = wants.len() / 2;
            let taken = begin(client, &wants[..half]);
            if taken < half { taken } else { half + begin(client, &wants[half..]) }
        }
    }
}
