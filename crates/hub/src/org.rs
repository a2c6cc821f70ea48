use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_model::{
    ChannelId, Draft, Expects, Identity, Kind, Monotonic, Now, OrgId, Payload, Position, Publication,
    RawJson, SessionId,
};
use parking_lot::{Mutex, RwLock};

use crate::channel::Channel;
use crate::hub::Shared;
use crate::presence::{Arrival, Change, PresenceEvent};
use crate::replies::Replies;
use crate::ring::RingLimits;
use crate::sequence::Sequence;
use crate::{
    BroadcastError, ChannelUid, Collect, Delivery, Departure, Hold, Member, Outcome, PresenceError, Reply,
    ReplyError, Rule, Rules, WorkerId,
};

/// How many idle channels one [`Org::handle_timeout`] looks at: the lock is not held for longer.
const FADING_PER_TURN: usize = 256;

/// How long a ring grows past its size for a listener who reads the store up to where it begins: on a busy channel it would
/// have moved on before he comes back.
const STORE_READ_TIME: Duration = Duration::from_secs(1);

/// An org: its channels and the one order of all that is published on them.
pub struct Org {
    id: OrgId,
    shared: Arc<Shared>,
    rules: RwLock<Arc<Rules>>,
    state: Mutex<State>,
    // Apart from `state`: a reply needs no order, and its sink must not run under the org's lock.
    replies: Mutex<Replies>,
    publications: AtomicU64,
}

struct State {
    sequence: Sequence,
    /// The last position handed to the workers.
    delivered: Position,
    /// Nothing was published after this on a channel that is kept by its rule and is not in memory.
    forgotten: Position,
    channels: HashMap<Arc<ChannelId>, Channel, foldhash::fast::RandomState>,
    names: HashMap<ChannelUid, Arc<ChannelId>, foldhash::fast::RandomState>,
    last_uid: u64,
    /// Idle channels, and when to look at them.
    fading: VecDeque<(Monotonic, ChannelUid)>,
    lingering: BTreeSet<(Monotonic, ChannelUid, Arc<Identity>)>,
}

/// From where a subscriber wants a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From here on.
    Now,
    /// What came after this position, and then on.
    After(Position),
}

/// A subscription has begun.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The channel, as deliveries name it.
    pub channel: ChannelUid,
    /// Deliveries up to here are not for this subscriber: it has them in `missed`, or did not ask.
    pub from: Position,
    /// What it missed, oldest first: all of it, also what its filter or [`Publication::except`] withholds.
    pub missed: Vec<Arc<Publication>>,
    /// Whether it missed more than is kept. Without a gap, `missed` is all there was after the position asked
    /// for. With one, something is lost for sure, except where it cannot be known: the position lies in the
    /// future, or before something that left memory together with its channel.
    pub gap: bool,
}

/// A subscription has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// Memory does not go back that far. The store does: read it up to `floor`, then ask again from there.
    #[error("memory goes back to {floor} only")]
    NotInMemory {
        /// After this position memory is complete.
        floor: Position,
    },
    /// See [`TooManyChannels`].
    #[error(transparent)]
    TooManyChannels(#[from] TooManyChannels),
}

/// None of several subscriptions has begun, because of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channel {index}: {error}")]
pub struct SubscribeAllError {
    /// Which one of those asked for.
    pub index: usize,
    /// Why.
    pub error: SubscribeError,
}

/// The org has as many channels in memory as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this org has as many channels as it may have")]
pub struct TooManyChannels;

/// What memory has of a channel.
#[derive(Clone, Debug)]
pub struct Recent {
    /// Publications after the position asked for, oldest first.
    pub publications: Vec<Arc<Publication>>,
    /// Memory is complete after this position.
    pub floor: Position,
    /// The last position delivered in the org: a cursor for whoever has seen these.
    pub delivered: Position,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Counts, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrgStats {
    /// Publications since the start.
    pub publications: u64,
    /// Channels in memory.
    pub channels: usize,
    /// Publications that wait for their commit.
    pub held: usize,
    /// Broadcasts that collect replies.
    pub broadcasts: usize,
    /// Channels that may soon be forgotten.
    pub fading: usize,
    /// Members who stay for a time without a session.
    pub lingering: usize,
}

impl Org {
    pub(crate) fn new(id: OrgId, rules: Rules, floor: Position, shared: Arc<Shared>) -> Org {
        let state = State {
            sequence: Sequence::new(floor),
            delivered: floor,
            forgotten: floor,
            channels: HashMap::default(),
            names: HashMap::default(),
            last_uid: 0,
            fading: VecDeque::new(),
            lingering: BTreeSet::new(),
        };
        Org {
            id,
            shared,
            rules: RwLock::new(Arc::new(rules)),
            state: Mutex::new(state),
            replies: Mutex::default(),
            publications: AtomicU64::new(0),
        }
    }

    /// Its id.
    pub fn id(&self) -> &OrgId {
        &self.id
    }

    /// The rule for a channel.
    pub fn rule(&self, channel: &ChannelId) -> Arc<Rule> {
        Arc::clone(self.rules.read().of(channel))
    }

    /// The last position given out.
    pub fn last_position(&self) -> Position {
        self.state.lock().sequence.last()
    }

    /// The last position handed to the workers: a cursor for whoever starts to listen.
    pub fn delivered(&self) -> Position {
        self.state.lock().delivered
    }

    /// Counts, for metrics.
    pub fn stats(&self) -> OrgStats {
        let broadcasts = self.replies.lock().len();
        let state = self.state.lock();
        debug_assert_eq!(state.channels.len(), state.names.len());
        OrgStats {
            publications: self.publications.load(Ordering::Relaxed),
            channels: state.channels.len(),
            held: state.sequence.waiting(),
            broadcasts,
            fading: state.fading.len(),
            lingering: state.lingering.len(),
        }
    }

    /// Gives a draft its position and delivers it when its turn comes.
    ///
    /// # Errors
    /// The org has too many channels to take one more.
    pub fn publish(&self, draft: Draft, hold: Hold, now: Now) -> Result<Arc<Publication>, TooManyChannels> {
        let mut state = self.state.lock();
        state.room_for(&draft.channel, self)?;
        Ok(self.enter(&mut state, draft, hold, now))
    }

    /// Publishes a draft and collects the replies to it.
    ///
    /// # Errors
    /// Too many channels, or broadcasts that are under way.
    pub fn broadcast(
        &self,
        mut draft: Draft,
        hold: Hold,
        collect: Collect,
        now: Now,
    ) -> Result<Arc<Publication>, BroadcastError> {
        draft.expects = Expects::Replies;
        let mut state = self.state.lock();
        state.room_for(&draft.channel, self).map_err(|_| BroadcastError::TooManyChannels)?;
        let mut replies = self.replies.lock();
        if replies.len() >= self.shared.settings.broadcasts_max {
            return Err(BroadcastError::TooManyBroadcasts);
        }
        // Both locks, so that nobody can reply before the collection is open.
        let channel = Arc::clone(&draft.channel);
        let publication = self.enter(&mut state, draft, hold, now);
        drop(state);
        let deadline = replies.open(publication.position, channel, collect, now.monotonic);
        self.shared.note_deadline(deadline);
        Ok(publication)
    }

    /// Hands a reply to whoever collects for the broadcast at `to`.
    ///
    /// # Errors
    /// Nobody does, or there are too many.
    pub fn reply(&self, to: Position, channel: &ChannelId, reply: Reply) -> Result<(), ReplyError> {
        self.replies.lock().reply(to, channel, reply, self.shared.settings.replies())
    }

    /// Ends a collection before its time: whoever collected has gone.
    pub fn end_replies(&self, position: Position) {
        self.replies.lock().end(position, false);
    }

    /// Ends the hold on a publication.
    pub fn settle(&self, position: Position, outcome: Outcome, now: Now) {
        self.settle_all([(position, outcome)], now);
    }

    /// Ends the holds on a group of publications, taking the lock once.
    pub fn settle_all(&self, outcomes: impl IntoIterator<Item = (Position, Outcome)>, now: Now) {
        let mut state = self.state.lock();
        for (position, outcome) in outcomes {
            state.sequence.settle(position, outcome);
        }
        self.release(&mut state, now);
    }

    fn enter(&self, state: &mut State, draft: Draft, hold: Hold, now: Now) -> Arc<Publication> {
        let position = state.sequence.next(now.wall);
        let publication = Arc::new(draft.at(position));
        self.publications.fetch_add(1, Ordering::Relaxed);
        match state.sequence.enter(Arc::clone(&publication), hold) {
            Some(ready) => self.deliver(state, ready, now),
            None => {
                if let Hold::Until(deadline) = hold {
                    self.shared.note_deadline(deadline);
                }
            }
        }
        publication
    }

    fn release(&self, state: &mut State, now: Now) {
        while let Some(publication) = state.sequence.poll(now.monotonic) {
            self.deliver(state, publication, now);
        }
        // Who is first in line now may stop waiting before who was first.
        if let Some(deadline) = state.sequence.poll_timeout() {
            self.shared.note_deadline(deadline);
        }
    }

    fn deliver(&self, state: &mut State, publication: Arc<Publication>, now: Now) {
        state.delivered = publication.position;
        let Some(channel) = state.channel_for(&publication, self) else { return };
        for worker in &channel.workers {
            let delivery = Delivery { channel: channel.uid, publication: Arc::clone(&publication) };
            self.shared.inbox(*worker).push(delivery);
        }
        channel.used = now.monotonic;
        let size = channel.rule.ring_size.min(channel.rule.history_size);
        let limits = RingLimits {
            size: if now.monotonic < channel.read_until { channel.rule.history_size } else { size },
            bytes: self.shared.settings.ring_bytes_max,
            age: channel.rule.history_age,
        };
        channel.ring.push(publication, limits, now.wall);
        if channel.is_idle() && !channel.fading {
            let uid = channel.uid;
            channel.fading = true;
            state.fade(uid, now.monotonic + self.shared.settings.channel_idle, &self.shared);
        }
    }

    /// Begins a subscription of a worker's.
    ///
    /// Once a worker listens to a channel it gets every publication on it until [`Org::unsubscribe`]. To be called
    /// on the worker's own thread, with the entry in its [`crate::Fanout`] made before it drains its inbox again:
    /// what comes after `from` is on its way at once.
    ///
    /// # Errors
    /// What was missed has to be read from the store first, or the org has too many channels.
    pub fn subscribe(
        &self,
        worker: WorkerId,
        id: &Arc<ChannelId>,
        since: Since,
        now: Now,
    ) -> Result<Subscribed, SubscribeError> {
        let mut state = self.state.lock();
        let uid = self.ready(&mut state, id, since, now)?;
        Ok(self.attach(&mut state, worker, uid, since, now))
    }

    /// Begins several subscriptions of one subscriber's at one point of the org's order, or none.
    ///
    /// All have the same `delivered` behind them, so that what was missed on all of them, put in the order of
    /// positions, lies before whatever comes live on any of them: the last position seen stays a complete cursor.
    /// Begun one by one, an earlier one's live publications could come after a later one's missed ones.
    ///
    /// # Errors
    /// As [`Org::subscribe`], for the first that cannot begin.
    pub fn subscribe_all(
        &self,
        worker: WorkerId,
        wanted: &[(Arc<ChannelId>, Since)],
        now: Now,
    ) -> Result<Vec<Subscribed>, SubscribeAllError> {
        let mut state = self.state.lock();
        let mut uids = Vec::with_capacity(wanted.len());
        for (index, (id, since)) in wanted.iter().enumerate() {
            match self.ready(&mut state, id, *since, now) {
                Ok(uid) => uids.push(uid),
                Err(error) => {
                    for uid in uids {
                        state.fade_if_idle(uid, now.monotonic, &self.shared);
                    }
                    return Err(SubscribeAllError { index, error });
                }
            }
        }
        let begin =
            |(uid, (_, since)): (ChannelUid, &(_, Since))| self.attach(&mut state, worker, uid, *since, now);
        Ok(uids.into_iter().zip(wanted).map(begin).collect())
    }

    /// Brings a channel into memory, and checks that memory has what is asked for.
    fn ready(
        &self,
        state: &mut State,
        id: &Arc<ChannelId>,
        since: Since,
        now: Now,
    ) -> Result<ChannelUid, SubscribeError> {
        state.room_for(id, self)?;
        let channel = state.open(id, self);
        let uid = channel.uid;
        channel.used = now.monotonic;
        channel.ring.expire(channel.rule.history_age, now.wall);
        let floor = channel.ring.floor();
        if let Since::After(position) = since
            && position < floor
            && channel.rule.persist
        {
            channel.read_until = now.monotonic + STORE_READ_TIME;
            state.fade_if_idle(uid, now.monotonic, &self.shared);
            return Err(SubscribeError::NotInMemory { floor });
        }
        Ok(uid)
    }

    fn attach(
        &self,
        state: &mut State,
        worker: WorkerId,
        uid: ChannelUid,
        since: Since,
        now: Now,
    ) -> Subscribed {
        let (delivered, last) = (state.delivered, state.sequence.last());
        let channel = state.by_uid(uid).expect("a channel just made ready is in memory");
        if !channel.workers.contains(&worker) {
            channel.workers.push(worker);
        }
        let Since::After(position) = since else {
            return Subscribed { channel: uid, from: delivered, missed: Vec::new(), gap: false };
        };
        let missed = channel.ring.after(position, now.wall).cloned().collect();
        let ahead = position > last;
        // Asking from zero is asking for all there is, which is never too little.
        let gap = position != Position::ZERO && (position < channel.ring.floor() || ahead);
        // Whoever published knows a position that is not delivered yet, and wants what comes after it.
        let from = if ahead { delivered } else { delivered.max(position) };
        Subscribed { channel: uid, from, missed, gap }
    }

    /// Ends a worker's interest in a channel: its last subscriber there has gone.
    pub fn unsubscribe(&self, worker: WorkerId, uid: ChannelUid, now: Now) {
        let mut state = self.state.lock();
        let Some(channel) = state.by_uid(uid) else { return };
        channel.workers.retain(|one| *one != worker);
        channel.used = now.monotonic;
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// What memory has of a channel after `since`.
    pub fn recent(&self, id: &ChannelId, since: Position, limit: usize, now: Now) -> Recent {
        let mut state = self.state.lock();
        let delivered = state.delivered;
        let Some(channel) = state.channels.get_mut(id) else {
            let floor = if self.rule(id).keeps(id) { state.forgotten } else { delivered };
            return Recent { publications: Vec::new(), floor, delivered, more: false };
        };
        channel.ring.expire(channel.rule.history_age, now.wall);
        let publications: Vec<_> = channel.ring.after(since, now.wall).take(limit).cloned().collect();
        let more = channel.ring.after(since, now.wall).nth(limit).is_some();
        Recent { publications, floor: channel.ring.floor(), delivered, more }
    }

    /// Counts a session of an identity as present.
    ///
    /// # Errors
    /// Presence is off there, or a limit is reached.
    pub fn join(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        session: SessionId,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        self.arrive(id, identity, Arrival::Session(session), member_state, now)
    }

    /// Counts an identity as present for `ttl`, for clients that have no session. To be repeated.
    ///
    /// # Errors
    /// Presence is off there, or a limit is reached.
    pub fn heartbeat(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        ttl: Duration,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        self.arrive(id, identity, Arrival::Heartbeat(now.monotonic + ttl), member_state, now)
    }

    fn arrive(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        arrival: Arrival,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        let mut state = self.state.lock();
        if !self.rule(id).presence {
            return Err(PresenceError::Off);
        }
        state.room_for(id, self).map_err(|_| PresenceError::TooManyChannels)?;
        let channel = state.open(id, self);
        let (uid, presence) = (channel.uid, &mut channel.presence);
        if presence.occupancy() >= self.shared.settings.members_max && !presence.contains(identity) {
            state.fade_if_idle(uid, now.monotonic, &self.shared);
            return Err(PresenceError::TooManyMembers);
        }
        let change = presence.join(identity, arrival, member_state);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        Ok(())
    }

    /// Ends a session's presence.
    pub fn leave(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        session: SessionId,
        departure: Departure,
        now: Now,
    ) {
        let mut state = self.state.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.leave(identity, session, departure);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// Ends the presence that [`Org::heartbeat`] gave, by the client's own word.
    pub fn depart(&self, id: &Arc<ChannelId>, identity: &Arc<Identity>, now: Now) {
        let mut state = self.state.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.depart(identity);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// Sets the state of a member.
    ///
    /// # Errors
    /// The identity is not present there.
    pub fn set_state(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        let mut state = self.state.lock();
        let channel = state.channels.get_mut(id).ok_or(PresenceError::NotPresent)?;
        let event = channel.presence.set_state(identity, member_state)?;
        self.tell(&mut state, id, Some(event), now);
        Ok(())
    }

    /// Who is on a channel: how many, and at most `limit` of them.
    pub fn members(&self, id: &ChannelId, limit: usize) -> (usize, Vec<Member>) {
        let state = self.state.lock();
        state.channels.get(id).map_or((0, Vec::new()), |channel| {
            (channel.presence.occupancy(), channel.presence.members(limit))
        })
    }

    fn tell(&self, state: &mut State, id: &ChannelId, event: Option<PresenceEvent>, now: Now) {
        let Some(event) = event else { return };
        let mut draft = Draft::new(Arc::new(id.presence()), Payload::Json(event.payload(now)));
        draft.kind = Kind::Presence;
        draft.name = Some(event.name.into());
        draft.publisher = Some(event.identity);
        self.enter(state, draft, Hold::No, now);
    }

    pub(crate) fn handle_timeout(&self, now: Now) {
        let mut replies = self.replies.lock();
        replies.handle_timeout(now.monotonic);
        let ends = replies.poll_timeout();
        drop(replies);
        let mut state = self.state.lock();
        self.release(&mut state, now);
        self.time_out(&mut state, now);
        self.forget(&mut state, now);
        let fades = state.fading.front().map(|(due, _)| *due);
        let lapses = state.lingering.first().map(|(due, ..)| *due);
        let held = state.sequence.poll_timeout();
        drop(state);
        for deadline in [ends, fades, lapses, held].into_iter().flatten() {
            self.shared.note_deadline(deadline);
        }
    }

    fn time_out(&self, state: &mut State, now: Now) {
        while let Some((due, ..)) = state.lingering.first()
            && *due <= now.monotonic
        {
            let Some((due, uid, identity)) = state.lingering.pop_first() else { return };
            let Some(channel) = state.by_uid(uid) else { continue };
            let id = Arc::clone(&channel.id);
            let event = channel.presence.lapse(&identity, due);
            self.tell(state, &id, event, now);
            state.fade_if_idle(uid, now.monotonic, &self.shared);
        }
    }

    /// Drops channels that nobody has used for long and whose ring has nothing that the store has not.
    fn forget(&self, state: &mut State, now: Now) {
        let idle = self.shared.settings.channel_idle;
        for _ in 0..FADING_PER_TURN {
            let Some((_, uid)) = state.fading.front().copied().filter(|(due, _)| *due <= now.monotonic)
            else {
                return;
            };
            state.fading.pop_front();
            let Some(channel) = state.by_uid(uid) else { continue };
            channel.fading = false;
            if !channel.is_idle() {
                continue;
            }
            channel.ring.expire(channel.rule.history_age, now.wall);
            let kept = !channel.rule.persist && !channel.ring.is_empty();
            if kept || now.monotonic.since(channel.used) < idle {
                channel.fading = true;
                state.fade(uid, now.monotonic + idle, &self.shared);
            } else {
                state.remove(uid);
            }
        }
    }
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Org").field("id", &self.id).finish_non_exhaustive()
    }
}

impl State {
    fn room_for(&self, id: &ChannelId, org: &Org) -> Result<(), TooManyChannels> {
        let full = self.channels.len() >= org.shared.settings.channels_max;
        if full && !self.channels.contains_key(id) { Err(TooManyChannels) } else { Ok(()) }
    }

    fn open(&mut self, id: &Arc<ChannelId>, org: &Org) -> &mut Channel {
        let State { channels, names, last_uid, delivered, forgotten, .. } = self;
        channels.entry(Arc::clone(id)).or_insert_with(|| {
            *last_uid += 1;
            let uid = ChannelUid(*last_uid);
            names.insert(uid, Arc::clone(id));
            let rule = org.rule(id);
            let floor = if rule.keeps(id) { *forgotten } else { *delivered };
            Channel::new(uid, Arc::clone(id), rule, floor)
        })
    }

    /// The channel that has to know of a publication; none if nobody ever asks.
    fn channel_for(&mut self, publication: &Publication, org: &Org) -> Option<&mut Channel> {
        let id = &publication.channel;
        if !self.channels.contains_key(id) {
            if !org.rule(id).keeps(id) {
                return None;
            }
            if self.room_for(id, org).is_err() {
                self.forgotten = publication.position;
                return None;
            }
            self.open(id, org);
        }
        self.channels.get_mut(id)
    }

    fn by_uid(&mut self, uid: ChannelUid) -> Option<&mut Channel> {
        self.channels.get_mut(self.names.get(&uid)?)
    }

    fn remove(&mut self, uid: ChannelUid) {
        if let Some(id) = self.names.remove(&uid)
            && let Some(channel) = self.channels.remove(&id)
            && channel.rule.keeps(&id)
        {
            self.forgotten = self.forgotten.max(channel.ring.last());
        }
    }

    fn fade(&mut self, uid: ChannelUid, due: Monotonic, shared: &Shared) {
        if self.fading.is_empty() {
            shared.note_deadline(due);
        }
        self.fading.push_back((due, uid));
    }

    fn fade_if_idle(&mut self, uid: ChannelUid, now: Monotonic, shared: &Shared) {
        let Some(channel) = self.by_uid(uid) else { return };
        if channel.is_idle() && !channel.fading {
            channel.fading = true;
            self.fade(uid, now + shared.settings.channel_idle, shared);
        }
    }

    fn linger(&mut self, uid: ChannelUid, identity: &Arc<Identity>, change: &Change, shared: &Shared) {
        if change.before == change.after {
            return;
        }
        if let Some(due) = change.before {
            self.lingering.remove(&(due, uid, Arc::clone(identity)));
        }
        if let Some(due) = change.after {
            self.lingering.insert((due, uid, Arc::clone(identity)));
            shared.note_deadline(due);
        }
    }
}
