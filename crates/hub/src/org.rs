mod delete;
mod listen;
mod locked;
mod presence;
mod state;
mod whereabouts;
mod wildcard;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_model::{ChannelFlags, ChannelId, Draft, Expects, Now, OrgId, Position, Publication};
use parking_lot::{Mutex, RwLock};

pub use self::listen::{Recent, Since, SubscribeAllError, SubscribeError, Subscribed};
use self::state::State;
use self::whereabouts::Whereabouts;
use self::wildcard::Wildcards;

use crate::hub::Shared;
use crate::inbox::Woken;
use crate::replies::Replies;
use crate::sequence::Sequence;
use crate::{BroadcastError, Collect, Hold, Kinds, Outcome, OwnLine, Reply, ReplyError, Rule, Rules};

/// How many idle channels one [`Org::handle_timeout`] looks at: the lock is not held for longer.
const FADING_PER_TURN: usize = 256;

/// An org: its channels and the one order of all that is published on them.
pub struct Org {
    id: OrgId,
    shared: Arc<Shared>,
    /// On lines of their own, as the state: who waits for the one lock does not disturb who holds the other.
    rules: OwnLine<RwLock<Arc<Rules>>>,
    state: OwnLine<Mutex<State>>,
    // Apart from `state`: a reply needs no order, and its sink must not run under the org's lock.
    replies: Mutex<Replies>,
    /// How many channels it may have in memory, as far as the settings of all orgs let it.
    channels_max: AtomicUsize,
}

/// The org has as many channels in memory as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this org has as many channels as it may have")]
pub struct TooManyChannels;

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
            publications: 0,
            woken: Woken::new(),
            delivered: floor,
            forgotten: floor,
            channels: HashMap::default(),
            names: HashMap::default(),
            fading: VecDeque::new(),
            lingering: BTreeSet::new(),
            intervals: VecDeque::new(),
            whereabouts: Whereabouts::default(),
            wildcards: Wildcards::default(),
        };
        Org {
            id,
            shared,
            rules: OwnLine(RwLock::new(Arc::new(rules))),
            state: OwnLine(Mutex::new(state)),
            replies: Mutex::default(),
            channels_max: AtomicUsize::new(usize::MAX),
        }
    }

    /// Sets how many channels the org may have in memory, if that is less than the settings of all orgs say. Those that are there stay.
    pub fn limit_channels(&self, max: usize) {
        self.channels_max.store(max, Ordering::Relaxed);
    }

    fn channels_max(&self) -> usize {
        self.shared.settings.channels_max.min(self.channels_max.load(Ordering::Relaxed))
    }

    /// Its id.
    pub fn id(&self) -> &OrgId {
        &self.id
    }

    /// The rule for a channel.
    pub fn rule(&self, channel: &ChannelId) -> Arc<Rule> {
        Arc::clone(self.rules.read().of(channel))
    }

    /// The kinds of identity that may subscribe to a channel, if access lets them.
    pub fn subscribers(&self, channel: &ChannelId) -> Kinds {
        self.rules.read().subscribers(channel)
    }

    /// The last position given out.
    pub fn last_position(&self) -> Position {
        self.lock().sequence.last()
    }

    /// The last position handed to the workers: a cursor for whoever starts to listen.
    pub fn delivered(&self) -> Position {
        self.lock().delivered
    }

    /// Counts, for metrics.
    pub fn stats(&self) -> OrgStats {
        let broadcasts = self.replies.lock().len();
        let state = self.lock();
        debug_assert_eq!(state.channels.len(), state.names.len());
        OrgStats {
            publications: state.publications,
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
        let mut state = self.lock();
        state.room_for(&draft.channel, self)?;
        Ok(self.enter(&mut state, draft, hold, now))
    }

    /// Publishes several drafts at positions that follow each other: nothing else of the org stands between them. All or none.
    ///
    /// # Errors
    /// The org has too many channels to take one more, and one of these is not among them.
    pub fn publish_all(
        &self,
        drafts: Vec<(Draft, Hold)>,
        now: Now,
    ) -> Result<Vec<Arc<Publication>>, TooManyChannels> {
        let mut state = self.lock();
        for (draft, _) in &drafts {
            state.room_for(&draft.channel, self)?;
        }
        Ok(drafts.into_iter().map(|(draft, hold)| self.enter(&mut state, draft, hold, now)).collect())
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
        let mut state = self.lock();
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

    /// The channel of a broadcast that collects replies at this time.
    pub fn collecting(&self, position: Position) -> Option<Arc<ChannelId>> {
        self.replies.lock().channel(position)
    }

    /// Says how many replies are wanted of the broadcast at `position`, where that is known only after it was published: its
    /// collection ends, complete, as soon as so many are there, which may be at once. Nothing happens if it has ended.
    pub fn expect_replies(&self, position: Position, until: usize) {
        self.replies.lock().expect(position, until);
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
        let mut state = self.lock();
        for (position, outcome) in outcomes {
            state.sequence.settle(position, outcome);
        }
        self.release(&mut state, now);
    }

    fn enter(&self, state: &mut State, draft: Draft, hold: Hold, now: Now) -> Arc<Publication> {
        let position = state.sequence.next(now.wall);
        let publication = Arc::new(draft.at(position));
        state.publications += 1;
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
        let except = publication.except_listeners_of.as_deref().map(|channels| state.uids(channels));
        if !state.wildcards.is_empty() {
            self.deliver_to_wildcards(state, &publication, except.as_ref(), now);
        }
        let Some(channel) = state.channel_for(&publication, self) else { return };
        let woken = channel.hand_out(&publication, except.as_ref(), &self.shared);
        channel.used = now.monotonic;
        channel.remember(publication, &self.shared, now);
        if channel.is_idle() && !channel.fading {
            let uid = channel.uid;
            channel.fading = true;
            state.fade(uid, now.monotonic + self.shared.settings.channel_idle, &self.shared);
        }
        if !woken.is_empty() {
            state.woken.extend(woken);
        }
    }

    pub(crate) fn handle_timeout(&self, now: Now) {
        let mut replies = self.replies.lock();
        replies.handle_timeout(now.monotonic);
        let ends = replies.poll_timeout();
        drop(replies);
        let mut state = self.lock();
        self.release(&mut state, now);
        self.time_out(&mut state, now);
        self.tell_intervals(&mut state, now);
        self.forget(&mut state, now);
        let fades = state.fading.front().map(|(due, _)| *due);
        let lapses = state.lingering.first().map(|(due, ..)| *due);
        let intervals = state.intervals.front().map(|(due, _)| *due);
        let held = state.sequence.poll_timeout();
        drop(state);
        for deadline in [ends, fades, lapses, intervals, held].into_iter().flatten() {
            self.shared.note_deadline(deadline);
        }
    }

    fn time_out(&self, state: &mut State, now: Now) {
        while let Some((due, ..)) = state.lingering.first()
            && *due <= now.monotonic
        {
            let Some((due, uid, identity)) = state.lingering.pop_first() else { return };
            let Some(channel) = state.by_uid(uid) else { continue };
            let event = channel.presence.lapse(&identity, due);
            self.tell(state, uid, event, now);
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
            // What comes by a wildcard comes as long as its channels live: it is no reason to keep the companion.
            let kept = !channel.rule.persist
                && !channel.ring.is_empty()
                && !channel.id.flags().contains(ChannelFlags::WILDCARD);
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
