use std::sync::Arc;

use antiphon_model::{ChannelId, Draft, Kind, SessionId};
use smallvec::SmallVec;

use super::{Emission, EmitError, Targets};
use crate::channels::channel_of;
use crate::namespace::Reach;
use crate::rooms::{is_own_open, open_own, own_channel};
use crate::{Namespace, Socket};

/// The way that an event takes.
pub(crate) enum Route {
    /// It is published, as several publications if it is for several rooms. Each further one leaves out whoever listens to
    /// the channels of those before, so that nobody gets it twice.
    Publish(Vec<Draft>),
    /// It is for one socket alone.
    Direct(Socket),
    /// It is for each of these, which no channel reaches together.
    Each(Vec<Socket>),
    /// Nobody is meant.
    Nowhere,
}

impl Route {
    pub(crate) fn of(
        emission: &Emission,
        targets: &Targets,
        namespace: &Namespace,
    ) -> Result<Route, EmitError> {
        if namespace.reach() != Reach::Channels {
            return Ok(Route::Each(targets.select(namespace)));
        }
        if let [room] = targets.rooms()
            && let Some(socket) = namespace.socket(room)
            && !is_own_open(&socket)
        {
            return Ok(if targets.takes(&socket) { Route::Direct(socket) } else { Route::Nowhere });
        }
        let excepted = Excepted::of(targets, namespace)?;
        let mut channels: SmallVec<[Arc<ChannelId>; 2]> = SmallVec::new();
        for room in targets.rooms() {
            if let Some(socket) = namespace.socket(room) {
                open_own(&socket)?;
            }
            channels.push(channel_of(namespace.wire_name(), Some(room))?);
        }
        if channels.is_empty() {
            channels.push(channel_of(namespace.wire_name(), None)?);
        }
        let mut left_out = excepted.channels;
        let mut drafts = Vec::with_capacity(channels.len());
        for channel in channels {
            let mut draft = emission.draft(Arc::clone(&channel));
            draft.except = excepted.session;
            draft.except_listeners_of = (!left_out.is_empty()).then(|| left_out.as_slice().into());
            drafts.push(draft);
            left_out.push(channel);
        }
        Ok(Route::Publish(drafts))
    }
}

impl Emission {
    pub(super) fn draft(&self, channel: Arc<ChannelId>) -> Draft {
        let mut draft = Draft::new(channel, self.payload.clone());
        if &*self.name != "message" {
            draft.name = Some(self.name.clone());
        }
        if self.flags.volatile {
            draft.kind = Kind::Signal;
        }
        draft.compress = self.flags.compress;
        draft
    }
}

/// Who is left out, as publications say it.
struct Excepted {
    session: Option<SessionId>,
    channels: SmallVec<[Arc<ChannelId>; 4]>,
}

impl Excepted {
    fn of(targets: &Targets, namespace: &Namespace) -> Result<Excepted, EmitError> {
        let mut excepted = Excepted { session: None, channels: SmallVec::new() };
        if let Some(sender) = targets.sender() {
            excepted.add_socket(sender)?;
        }
        for room in targets.excepted() {
            match namespace.socket(room) {
                Some(socket) => excepted.add_socket(&socket)?,
                // Nobody is in a room that cannot be.
                None => excepted.channels.extend(channel_of(namespace.wire_name(), Some(room)).ok()),
            }
        }
        Ok(excepted)
    }

    /// The session is quicker to tell, but there is room for one, and a client that recovers has another.
    fn add_socket(&mut self, socket: &Socket) -> Result<(), EmitError> {
        if !is_own_open(socket) {
            let session = socket.address().session();
            if *self.session.get_or_insert(session) == session {
                return Ok(());
            }
            open_own(socket)?;
        }
        self.channels.push(own_channel(socket)?);
        Ok(())
    }
}
