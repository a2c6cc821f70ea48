//! Listening that the server begins of its own accord: no permission is asked for.

use std::sync::Arc;

use antiphon_access::{Caller, Permission};
use antiphon_hub::{Inbox, Since, SubscribeAllError, SubscribeError, Subscribed, Subscriber};
use antiphon_model::{ChannelId, OrgId};

use crate::client::{ClientAddress, nobody};
use crate::format::Wire;
use crate::listen::By;
use crate::session::{ListeningTo, Session, mapped};
use crate::task::Task;
use crate::{Client, Format, ListenError, Listening, ListeningOn, Want, Worker, Workers};

/// A session begins to listen, by another thread's word: the hub sends its worker the channel already.
pub(crate) struct Attach {
    org: OrgId,
    address: ClientAddress,
    channel: Arc<ChannelId>,
    format: &'static Format,
    subscribed: Subscribed,
}

impl Client {
    /// Begins to listen to a channel, by the server's own word: no permission is asked for, and the channel's rule refuses
    /// nobody. Nothing happens if the session listens there already; the answer names no channel then.
    ///
    /// What was missed is what memory has of it, with a gap if that is not all. As after [`Client::listen`], it is for
    /// [`Client::send_publications`].
    ///
    /// # Errors
    /// The session has no caller or has ended, or there are too many channels.
    pub fn attach(
        &self,
        channel: &Arc<ChannelId>,
        since: Since,
        format: &'static Format,
    ) -> Result<Listening, ListenError> {
        if since == Since::Now {
            return self.attach_now(channel, format);
        }
        let want =
            Want { channel: Arc::clone(channel), since, format, filter: None, presence: false, label: None };
        self.listen_in_memory(By::Server, &[want])
    }

    /// Begins to listen to several channels at one point of the org's order, as [`Client::attach`]; reads the store as
    /// [`Client::listen`] does. Channels to which the session listens already are left out.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn attach_all(&self, wants: Vec<Want>) -> Result<Listening, ListenError> {
        self.listen_by(By::Server, &wants).await
    }

    /// As [`Client::attach_all`], without the store: none if it would have to be read.
    pub fn try_attach_all(&self, wants: &[Want]) -> Option<Result<Listening, ListenError>> {
        self.try_listen_by(By::Server, wants)
    }

    /// The short way of those that want nothing of the past.
    fn attach_now(
        &self,
        channel: &Arc<ChannelId>,
        format: &'static Format,
    ) -> Result<Listening, ListenError> {
        self.worker.is_caught_up();
        let room = self.worker.with_session(self.key, self.id, |session, _| {
            let room = has_room(session, channel)?;
            if session.listening.is_empty() {
                // It got nothing that was published before, so nothing that it is sent has to wait for that.
                session.begun = Inbox::pushed_by_this_thread();
            }
            Ok::<_, ListenError>((room, session.caller.clone()))
        });
        let caller = match room.ok_or(ListenError::Closed)?? {
            (Room::Listens, _) => return Ok(Listening::default()),
            (Room::Some, caller) => caller.ok_or_else(|| nobody(Permission::Subscribe, channel))?,
        };
        let hub = &self.node().org(&caller.org).hub;
        let subscribed = match hub.subscribe(self.worker.0.id, channel, Since::Now, self.now()) {
            Ok(subscribed) => subscribed,
            Err(SubscribeError::TooManyChannels(_) | SubscribeError::NotInMemory { .. }) => {
                return Err(ListenError::TooManyChannels);
            }
        };
        let position = subscribed.from;
        self.begin_attached(channel, format, &subscribed);
        let on = ListeningOn { channel: Arc::clone(channel), position, gap: None };
        Ok(Listening { channels: vec![on], missed: Vec::new() })
    }

    /// Makes the entry of a subscription in the worker's table.
    fn begin_attached(&self, channel: &Arc<ChannelId>, format: &'static Format, subscribed: &Subscribed) {
        let formats = self.worker.with_session(self.key, self.id, |session, _| session.formats.clone());
        let format = mapped(formats.flatten().as_ref(), format);
        let mut state = self.worker.0.state.borrow_mut();
        let state = &mut *state;
        let channel = state.name_of_channel(subscribed.channel).unwrap_or_else(|| Arc::clone(channel));
        let Some(session) = state.sessions.get_mut(self.key.0 as usize).filter(|one| one.id == self.id)
        else {
            return;
        };
        let wire = Wire { format, framing: session.framing(), label: None };
        let subscriber = Subscriber { key: self.key, from: subscribed.from, session: self.id, filter: None };
        let subscription = state.fanout.add(subscribed.channel, wire, subscriber);
        let from = subscribed.from;
        session.listening.push(ListeningTo { channel, subscription, from, ending: false });
    }
}

/// Whether a session can listen to one more channel.
enum Room {
    Some,
    /// It listens to that one already.
    Listens,
}

/// Takes back the end of a subscription that waits for its turn: it goes on as if nothing had been said.
fn has_room(session: &mut Session, channel: &ChannelId) -> Result<Room, ListenError> {
    if let Some(one) = session.listening.iter_mut().find(|one| *one.channel == *channel) {
        one.ending = false;
        return Ok(Room::Listens);
    }
    let max = session.subscriptions_max();
    if session.caller.is_some() && session.listening.len() >= max {
        return Err(ListenError::TooManySubscriptions { max });
    }
    Ok(Room::Some)
}

impl Workers {
    /// Has a session begin to listen to a channel, as [`Client::attach`] does, from whatever thread: it gets what this thread, or
    /// any other, publishes after this call. `caller` names the org; the session's caller has to be of the same.
    ///
    /// `format` is as the session is sent it, if it has a map of formats: see [`Client::map_formats`]. Nothing happens if
    /// the session listens there already, or has ended.
    ///
    /// # Errors
    /// There are too many channels in the org, or the server has stopped.
    pub fn attach(
        &self,
        caller: &Caller,
        address: ClientAddress,
        channel: &Arc<ChannelId>,
        format: &'static Format,
    ) -> Result<(), ListenError> {
        if let Some(worker) = Worker::current().filter(|worker| worker.0.id == address.worker) {
            return match worker.client(address) {
                Some(client) => client.attach(channel, Since::Now, format).map(drop),
                None => Ok(()),
            };
        }
        let node = self.node().ok_or(ListenError::Closed)?;
        let wanted = [(Arc::clone(channel), Since::Now)];
        let task = |mut subscribed: Vec<Subscribed>| -> antiphon_hub::Task {
            let subscribed = subscribed.pop().expect("one channel was asked for");
            let (org, channel) = (caller.org.clone(), Arc::clone(channel));
            Box::new(Task::Attach(Attach { org, address, channel, format, subscribed }))
        };
        let hub = &node.org(&caller.org).hub;
        let begun = hub.subscribe_by_task(address.worker, &wanted, node.now(), task);
        begun.map_err(|SubscribeAllError { .. }| ListenError::TooManyChannels)
    }

    /// Ends what [`Workers::attach`] began, from whatever thread: what this thread has published before still comes.
    pub fn detach(&self, address: ClientAddress, channel: &Arc<ChannelId>) {
        if let Some(worker) = Worker::current().filter(|worker| worker.0.id == address.worker) {
            if let Some(client) = worker.client(address) {
                client.unlisten(channel);
            }
        } else if let Some(mailbox) = self.mailbox(address.worker) {
            mailbox.push(Task::Unlisten(address, Arc::clone(channel)));
        }
    }
}

impl Worker {
    /// Takes in what [`Workers::attach`] began.
    pub(crate) fn take_in_attached(&self, attach: Attach) {
        let Attach { org, address, channel, format, subscribed } = attach;
        if let Some(client) = self.client(address) {
            let room = self.with_session(client.key, client.id, |session, _| {
                let of_org = session.caller.as_ref().is_some_and(|caller| caller.org == org);
                of_org && matches!(has_room(session, &channel), Ok(Room::Some))
            });
            if room == Some(true) {
                client.begin_attached(&channel, format, &subscribed);
            }
        }
        let hub = &self.node().org(&org).hub;
        hub.task_arrived(self.0.id, [subscribed.channel]);
        if self.0.state.borrow().fanout.groups(subscribed.channel).is_empty() {
            hub.unsubscribe(self.0.id, subscribed.channel, self.0.now.get());
        }
    }
}
