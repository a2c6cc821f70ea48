use std::collections::HashSet;
use std::sync::Arc;

use antiphon_access::{Act, Caller, Permission, RateLimited, Refused};
use antiphon_hub::{Fanout, Filter, Inbox, Since, SubscribeAllError, SubscribeError, Subscribed, Subscriber};
use antiphon_model::{ChannelFlags, ChannelId, IdentityKind, Position, Publication};
use antiphon_node::{Begins, ReadError, StoreError};
use smallvec::SmallVec;

use crate::client::nobody;
use crate::format::{Label, Wire};
use crate::session::{ListeningTo, Session, SessionKey, mapped};
use crate::task::Task;
use crate::worker::State;
use crate::{Client, Format};

/// How often a listener goes back to the store because memory has moved on meanwhile.
const ATTEMPTS_MAX: usize = 50;

/// A channel that a session wants to listen to.
#[derive(Clone)]
pub struct Want {
    /// The channel.
    pub channel: Arc<ChannelId>,
    /// From where on.
    pub since: Since,
    /// In what format.
    pub format: &'static Format,
    /// What of it; none is everything.
    pub filter: Option<Filter>,
    /// Whether its presence events are wanted too.
    pub presence: bool,
    /// What the client calls it, where the format says that: [`crate::Messages::label`]. Subscribers of one format with the same label
    /// share the encoded bytes, and those with another do not.
    pub label: Option<Label>,
}

/// A session listens.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// To these, in the order wanted.
    pub channels: Vec<ListeningOn>,
    /// What it missed, of all channels in the order of positions.
    pub(crate) missed: Vec<Missed>,
}

/// A publication that a session missed, and how it wants it.
#[derive(Clone, Debug)]
pub(crate) struct Missed {
    pub(crate) format: &'static Format,
    pub(crate) label: Option<Label>,
    /// How far above the publication's channel that is to which the session listens: nothing if it is the channel itself.
    distance: usize,
    pub(crate) publication: Arc<Publication>,
}

impl Missed {
    /// Whether two are wanted in the same bytes.
    pub(crate) fn is_wanted_as(&self, other: &Missed) -> bool {
        std::ptr::eq(self.format, other.format) && self.label == other.label
    }
}

impl Listening {
    /// Keeps of what was missed what `wanted` says yes to.
    pub fn retain_missed(&mut self, mut wanted: impl FnMut(&Publication) -> bool) {
        self.missed.retain(|one| wanted(&one.publication));
    }
}

/// One channel of a [`Listening`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningOn {
    /// The channel.
    pub channel: Arc<ChannelId>,
    /// Live from here on.
    pub position: Position,
    /// What it missed and cannot get.
    pub gap: Option<Gap>,
}

/// Publications that are no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// After this position.
    pub since: Position,
    /// Before this one, from where on everything is there.
    pub resumed: Position,
}

/// Why a session does not listen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListenError {
    /// It may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The channel's rule keeps this kind of identity from it.
    #[error("the channel's rule does not let identities of kind {0:?} subscribe")]
    KindRefused(IdentityKind),
    /// It listens to as many as it may.
    #[error("a session listens to at most {max} channels")]
    TooManySubscriptions {
        /// How many it may.
        max: usize,
    },
    /// The org has as many channels in use as it may.
    #[error("this org has as many channels in use as it may have, or there is no memory for more")]
    TooManyChannels,
    /// Too many in too short a time.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// It does so already.
    #[error("already subscribed to {0}")]
    AlreadyListening(Arc<ChannelId>),
    /// The store does not answer.
    #[error("the store cannot be read: {0}")]
    Unavailable(#[from] StoreError),
    /// It has ended.
    #[error("the session has ended")]
    Closed,
}

impl From<ReadError> for ListenError {
    fn from(error: ReadError) -> ListenError {
        match error {
            ReadError::Refused(refused) => ListenError::Refused(refused),
            ReadError::KindRefused(kind) => ListenError::KindRefused(kind),
            ReadError::Unavailable(error) => ListenError::Unavailable(error),
            ReadError::TooManyChannels => ListenError::TooManyChannels,
        }
    }
}

/// One channel on the way to being listened to; presence events are a channel of their own.
struct Pending {
    channel: Arc<ChannelId>,
    /// What the client asked for.
    asked: Since,
    /// What is still to come from memory.
    since: Since,
    format: &'static Format,
    filter: Option<Filter>,
    label: Option<Label>,
    gap: bool,
    missed: Vec<Arc<Publication>>,
}

/// Whose word it is that a session listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The client's: it needs the permission.
    Client,
    /// The server's own.
    Server,
}

/// Memory does not go back far enough for one of them.
struct NotInMemory {
    index: usize,
    floor: Position,
}

impl Client {
    /// Begins to listen on all of these or, on an error, on none.
    ///
    /// Reads the store where memory does not go back far enough; where it does, it is ready when first polled. Nothing is
    /// delivered before the caller goes on: it can send an answer of its own, then [`Client::send_publications`],
    /// and live goes on right after, if it does not await in between.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn listen(&self, wants: Vec<Want>) -> Result<Listening, ListenError> {
        self.listen_by(By::Client, &wants).await
    }

    /// As [`Client::listen`], without the store: none if it would have to be read.
    pub fn try_listen(&self, wants: &[Want]) -> Option<Result<Listening, ListenError>> {
        self.try_listen_by(By::Client, wants)
    }

    pub(crate) async fn listen_by(&self, by: By, wants: &[Want]) -> Result<Listening, ListenError> {
        self.worker.is_caught_up();
        let (caller, mut pending) = self.check(by, wants)?;
        self.count(by, &caller, wants)?;
        for _ in 0..ATTEMPTS_MAX {
            let not_in_memory = match self.begin(&caller, &pending)? {
                Ok(subscribed) => return self.finish(&caller, pending, subscribed),
                Err(not_in_memory) => not_in_memory,
            };
            let NotInMemory { index, floor } = not_in_memory;
            let one = &mut pending[index];
            let Since::After(since) = one.since else { continue };
            let bytes_max = self.worker.settings().recovery_bytes_max;
            let missed = self.node().missed_in_store(&caller, &one.channel, since, floor, bytes_max).await?;
            one.gap |= missed.gap;
            one.missed.extend(missed.publications);
            one.since = Since::After(floor);
            trim(&mut pending, bytes_max);
        }
        self.begin_late(&caller, pending)
    }

    /// As [`Client::listen_by`], with a gap where the store would have to be read.
    pub(crate) fn listen_in_memory(&self, by: By, wants: &[Want]) -> Result<Listening, ListenError> {
        self.worker.is_caught_up();
        let (caller, mut pending) = self.check(by, wants)?;
        self.count(by, &caller, wants)?;
        for _ in 0..ATTEMPTS_MAX {
            match self.begin(&caller, &pending)? {
                Ok(subscribed) => return self.finish(&caller, pending, subscribed),
                Err(NotInMemory { index, floor }) => {
                    (pending[index].since, pending[index].gap) = (Since::After(floor), true);
                }
            }
        }
        self.begin_late(&caller, pending)
    }

    /// Memory turns over faster than it can be followed: says so instead of trying for ever.
    fn begin_late(&self, caller: &Caller, mut pending: Vec<Pending>) -> Result<Listening, ListenError> {
        for one in &mut pending {
            if let Since::After(_) = one.since {
                (one.since, one.gap) = (Since::Now, true);
            }
        }
        match self.begin(caller, &pending)? {
            Ok(subscribed) => self.finish(caller, pending, subscribed),
            Err(_) => Err(ListenError::TooManyChannels),
        }
    }

    pub(crate) fn try_listen_by(&self, by: By, wants: &[Want]) -> Option<Result<Listening, ListenError>> {
        self.worker.is_caught_up();
        let begun = self.check(by, wants).and_then(|(caller, pending)| {
            let counted = self.count(by, &caller, wants)?;
            let subscribed = self.begin(&caller, &pending)?.ok();
            if subscribed.is_none() && counted > 0 {
                // The other way, which reads the store, counts it again.
                self.node().give_back_subscriptions(&caller, counted);
            }
            Ok(subscribed.map(|subscribed| (caller, pending, subscribed)))
        });
        match begun {
            Ok(Some((caller, pending, subscribed))) => Some(self.finish(&caller, pending, subscribed)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Ends listening to a channel, its presence events included. False if it did not.
    ///
    /// What this thread has published before still comes.
    pub fn unlisten(&self, channel: &ChannelId) -> bool {
        if self.worker.is_caught_up() {
            return self.unlisten_at_once(channel, |one| !one.ending);
        }
        let presence = channel.presence();
        let ends = self.worker.with_session(self.key, self.id, |session, _| {
            let mut ends = false;
            for one in &mut session.listening {
                if *one.channel == *channel || *one.channel == presence {
                    ends |= !std::mem::replace(&mut one.ending, true);
                }
            }
            ends
        });
        let ends = ends.unwrap_or(false);
        if ends {
            self.worker.0.mailbox.push(Task::EndListening(self.address(), Arc::new(channel.clone())));
        }
        ends
    }

    /// Ends listening to a channel and its presence events as far as `which` says.
    pub(crate) fn unlisten_at_once(&self, channel: &ChannelId, which: impl Fn(&ListeningTo) -> bool) -> bool {
        let presence = channel.presence();
        let mut ended: SmallVec<[ListeningTo; 2]> = SmallVec::new();
        let caller = self.worker.with_session(self.key, self.id, |session, _| {
            let listening = &mut session.listening;
            for at in (0..listening.len()).rev() {
                let one = &listening[at];
                if (*one.channel == *channel || *one.channel == presence) && which(one) {
                    ended.push(listening.swap_remove(at));
                }
            }
            session.caller.clone()
        });
        let Some(Some(caller)) = caller else { return false };
        for one in &ended {
            self.worker.unsubscribe(&caller, one.subscription);
        }
        !ended.is_empty()
    }

    /// Gives a channel that the session listens to another label, from what is delivered next on. False if it does not listen to it.
    pub fn relabel(&self, channel: &ChannelId, label: Option<Label>) -> bool {
        self.worker.is_caught_up();
        let mut state = self.worker.0.state.borrow_mut();
        let State { sessions, fanout, .. } = &mut *state;
        let session = sessions.get_mut(self.key.0 as usize).filter(|session| session.id == self.id);
        let listening = session.and_then(|session| {
            session.listening.iter_mut().find(|one| *one.channel == *channel && !one.ending)
        });
        let Some(listening) = listening else { return false };
        let wire = |wire: &Wire| Wire { label, ..wire.clone() };
        listening.subscription =
            fanout.reformat(listening.subscription, wire).unwrap_or(listening.subscription);
        true
    }

    /// Whether it listens to a channel.
    pub fn listens_to(&self, channel: &ChannelId) -> bool {
        self.worker.with_session(self.key, self.id, |session, _| session.listens_to(channel)).unwrap_or(false)
    }

    fn check(&self, by: By, wants: &[Want]) -> Result<(Arc<Caller>, Vec<Pending>), ListenError> {
        // Asked first, because to look for each channel among all that a session has costs a crowd of them the square of their number.
        let some_end = |session: &mut Session| session.listening.iter().any(|one| one.ending);
        if self.worker.with_session(self.key, self.id, |session, _| some_end(session)).unwrap_or(false) {
            for want in wants {
                self.unlisten_at_once(&want.channel, |one| one.ending);
            }
        }
        let checked = self.worker.with_session(self.key, self.id, |session, _| {
            let mut pending: Vec<Pending> = wants.iter().flat_map(pending).collect();
            if by == By::Server {
                pending.retain(|one| !session.listens_to(&one.channel));
            }
            has_room(session, &pending)?;
            Ok::<_, ListenError>((session.caller.clone(), pending))
        });
        let (caller, mut pending) = checked.ok_or(ListenError::Closed)??;
        let Some(caller) = caller else {
            let channel = wants.first().map(|want| nobody(Permission::Subscribe, &want.channel));
            return Err(channel.map_or(ListenError::Closed, ListenError::Refused));
        };
        let mut seen = HashSet::with_capacity(pending.len());
        for one in &mut pending {
            if !seen.insert(Arc::clone(&one.channel)) {
                return Err(ListenError::AlreadyListening(Arc::clone(&one.channel)));
            }
            if by == By::Server {
                continue;
            }
            self.node().may_listen(&caller, &one.channel)?;
            if let Since::After(asked) = one.asked {
                let since = self.node().recover_from(&caller, &one.channel, asked);
                one.since = Since::After(since);
                one.gap = since != asked && asked != Position::ZERO;
            }
        }
        Ok((caller, pending))
    }

    /// Counts what a client asks for against the rates of subscribing. Says how many were counted.
    fn count(&self, by: By, caller: &Caller, wants: &[Want]) -> Result<usize, ListenError> {
        let begins = || self.worker.with_session(self.key, self.id, |session, _| session.begins);
        if by == By::Server || !caller.is_rated(Act::Subscribe) || begins() == Some(Begins::Again) {
            return Ok(0);
        }
        self.node().admit_subscriptions(caller, wants.len())?;
        Ok(wants.len())
    }

    /// Subscribes to all of them, or to none.
    fn begin(
        &self,
        caller: &Caller,
        pending: &[Pending],
    ) -> Result<Result<Vec<Subscribed>, NotInMemory>, ListenError> {
        let hub = &self.node().org(&caller.org).hub;
        let wanted: Vec<_> = pending.iter().map(|one| (Arc::clone(&one.channel), one.since)).collect();
        match hub.subscribe_all(self.worker.0.id, &wanted, self.now()) {
            Ok(subscribed) => Ok(Ok(subscribed)),
            Err(SubscribeAllError { index, error: SubscribeError::NotInMemory { floor } }) => {
                Ok(Err(NotInMemory { index, floor }))
            }
            Err(SubscribeAllError { error: SubscribeError::TooManyChannels(_), .. }) => {
                Err(ListenError::TooManyChannels)
            }
        }
    }

    fn finish(
        &self,
        caller: &Caller,
        mut pending: Vec<Pending>,
        subscribed: Vec<Subscribed>,
    ) -> Result<Listening, ListenError> {
        let (key, session) = (self.key, self.id);
        let formats = self.worker.with_session(key, session, |slot, _| slot.formats.clone()).flatten();
        for one in &mut pending {
            one.format = mapped(formats.as_ref(), one.format);
        }
        let mut state = self.worker.0.state.borrow_mut();
        let state = &mut *state;
        for (one, subscribed) in pending.iter_mut().zip(&subscribed) {
            if let Some(channel) = state.name_of_channel(subscribed.channel) {
                one.channel = channel;
            }
        }
        let slot = state.sessions.get_mut(key.0 as usize).filter(|slot| slot.id == session);
        // It may have gone away while the store was read, or begun to listen by another request.
        let slot =
            match slot.ok_or(ListenError::Closed).and_then(|slot| has_room(slot, &pending).map(|()| slot)) {
                Ok(slot) => slot,
                Err(error) => {
                    self.forgo(caller, &state.fanout, &subscribed);
                    return Err(error);
                }
            };
        let mut begun = Vec::with_capacity(pending.len());
        let earlier = slot.listening.len();
        for (one, subscribed) in pending.iter_mut().zip(subscribed) {
            one.missed.extend(subscribed.missed);
            one.gap |= subscribed.gap;
            let (uid, from) = (subscribed.channel, subscribed.from);
            begun.push(from);
            // Asked for here: the session may have gone over to another connection while the store was read.
            let wire = Wire { format: one.format, framing: slot.framing(), label: one.label.clone() };
            let subscriber = Subscriber { key, from, session, filter: one.filter.clone() };
            let subscription = state.fanout.add(uid, wire, subscriber);
            let channel = Arc::clone(&one.channel);
            slot.listening.push(ListeningTo { channel, subscription, from, ending: false });
        }
        slot.begun = Inbox::pushed_by_this_thread();
        trim(&mut pending, self.worker.settings().recovery_bytes_max);
        let wildcards = slot.listening.iter().any(|one| is_wildcard(&one.channel));
        let mut listening = Listening { channels: Vec::with_capacity(pending.len()), missed: Vec::new() };
        for (one, from) in pending.into_iter().zip(begun) {
            let wanted = one.missed.into_iter().filter(|publication| {
                let left_out = publication.except_listeners_of.as_deref().unwrap_or_default();
                publication.except != Some(session)
                    && one.filter.as_ref().is_none_or(|filter| filter(publication))
                    && !left_out.iter().any(|channel| slot.listens_to(channel))
                    && !(wildcards && has_come(&slot.listening[..earlier], publication))
            });
            let before = listening.missed.len();
            let (format, distance) = (one.format, distance(&one.channel));
            let missed = |publication| Missed { format, label: one.label.clone(), distance, publication };
            listening.missed.extend(wanted.map(missed));
            if one.channel.flags().contains(ChannelFlags::PRESENCE) {
                // Presence is a state more than a history: who comes back asks who is here.
                continue;
            }
            let resumed = listening.missed.get(before).map_or(from, |first| first.publication.position);
            let gap = match one.asked {
                Since::After(since) if one.gap => Some(Gap { since, resumed }),
                _ => None,
            };
            listening.channels.push(ListeningOn { channel: one.channel, position: from, gap });
        }
        listening.missed.sort_by_key(|one| (one.publication.position, one.distance));
        // By a channel and by wildcards above it: the closest counts.
        listening.missed.dedup_by_key(|one| one.publication.position);
        Ok(listening)
    }

    /// Takes back subscriptions of the worker's that come to nothing.
    fn forgo(&self, caller: &Caller, fanout: &Fanout<SessionKey, Wire>, subscribed: &[Subscribed]) {
        let hub = &self.node().org(&caller.org).hub;
        for one in subscribed {
            if fanout.groups(one.channel).is_empty() {
                hub.unsubscribe(self.worker.0.id, one.channel, self.worker.0.now.get());
            }
        }
    }
}

/// Up to how many channels are compared one by one with those that a session listens to.
const COMPARED_MAX: usize = 4;

/// Whether a session can listen to so many more, and does not yet to any of them.
fn has_room(session: &Session, pending: &[Pending]) -> Result<(), ListenError> {
    let max = session.subscriptions_max();
    let listening = session.listening.iter().map(|one| &one.channel);
    // Presence events come with the channel that they are about.
    let counts = |channel: &&Arc<ChannelId>| !channel.flags().contains(ChannelFlags::PRESENCE);
    let wanted = pending.iter().map(|one| &one.channel);
    if listening.clone().chain(wanted).filter(counts).count() > max {
        return Err(ListenError::TooManySubscriptions { max });
    }
    // To compare a few with all takes less than to look all up.
    let twice = if pending.len() <= COMPARED_MAX {
        pending.iter().find(|one| listening.clone().any(|channel| *channel == one.channel))
    } else {
        let listening: HashSet<&Arc<ChannelId>> = listening.collect();
        pending.iter().find(|one| listening.contains(&one.channel))
    };
    match twice {
        Some(one) => Err(ListenError::AlreadyListening(Arc::clone(&one.channel))),
        None => Ok(()),
    }
}

fn is_wildcard(channel: &ChannelId) -> bool {
    channel.flags().contains(ChannelFlags::WILDCARD)
}

/// By what those are put in order by which the same is listened to: a wildcard with a shorter name is further away.
fn distance(channel: &ChannelId) -> usize {
    if is_wildcard(channel) { usize::MAX - channel.name().len() } else { 0 }
}

/// Whether a publication has come live, or is about to, by one of these.
fn has_come(listening: &[ListeningTo], publication: &Publication) -> bool {
    let by = |one: &ListeningTo| !one.ending && publication.position > one.from;
    listening.iter().any(|one| by(one) && one.channel.covers(&publication.channel))
}

/// Lets go of the oldest that was missed where all of it is more than `bytes_max`; the newest of all always stays.
fn trim(pending: &mut [Pending], bytes_max: usize) {
    let missed = || pending.iter().flat_map(|one| &one.missed);
    if missed().map(|publication| publication.memory_bytes()).sum::<usize>() <= bytes_max {
        return;
    }
    let mut sizes: Vec<_> = missed().map(|one| (one.position, one.memory_bytes())).collect();
    sizes.sort_unstable_by_key(|(position, _)| std::cmp::Reverse(*position));
    let mut kept = 0;
    let cut = sizes.iter().enumerate().find(|(at, (_, bytes))| {
        kept += bytes;
        kept > bytes_max && *at > 0
    });
    let Some((_, (cut, _))) = cut else { return };
    for one in pending {
        let old = one.missed.partition_point(|publication| publication.position <= *cut);
        one.gap |= old > 0;
        one.missed.drain(..old);
    }
}

fn pending(want: &Want) -> impl Iterator<Item = Pending> + use<> {
    let channel = Pending {
        channel: Arc::clone(&want.channel),
        asked: want.since,
        since: want.since,
        format: want.format,
        filter: want.filter.clone(),
        label: want.label.clone(),
        gap: false,
        missed: Vec::new(),
    };
    let presence = want.presence.then(|| Pending {
        channel: Arc::new(want.channel.presence()),
        asked: want.since,
        since: want.since,
        format: want.format,
        filter: None,
        label: want.label.clone(),
        gap: false,
        missed: Vec::new(),
    });
    std::iter::once(channel).chain(presence)
}
