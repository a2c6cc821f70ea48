//! Listening: subscriptions that begin where the last one broke off, and what memory has.

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{ChannelId, Now, Position, Publication};

use super::state::State;
use super::{Org, TooManyChannels};
use crate::channel::Listening;
use crate::inbox::Put;
use crate::{ChannelUid, Delivery, Task, WorkerId};

/// How long a ring grows past its size for a listener who reads the store up to where it begins: on a busy channel it would
/// have moved on before he comes back.
const STORE_READ_TIME: Duration = Duration::from_secs(1);

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
    /// What it missed, oldest first: all of it, also what its filter, [`Publication::except`] or
    /// [`Publication::except_listeners_of`] withholds.
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

impl Org {
    /// Begins a subscription of a worker's.
    ///
    /// Once a worker listens to a channel it gets every publication on it until [`Org::unsubscribe`]. To be called
    /// on the worker's own thread, with the entry in its [`crate::Fanout`] made before it drains its inbox again:
    /// what comes after `from` is on its way at once. From other threads: [`Org::subscribe_by_task`].
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
        let mut state = self.lock();
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
        self.subscribe_several(&mut self.lock(), worker, wanted, now)
    }

    /// Begins several subscriptions as [`Org::subscribe_all`] does, but for a worker whose thread need not be this one.
    ///
    /// `task` makes of them the task that makes the entries in the worker's [`crate::Fanout`]. It goes into the worker's inbox
    /// under the org's lock, exactly where the subscriptions begin: what lies before it there is not for them, all that
    /// is published after this call, by whomever, lies behind it. When it is taken from the inbox, and the entries
    /// are made or not, the worker says [`Org::task_arrived`]; until then the channels are kept for it, though the last of its other
    /// subscribers goes.
    ///
    /// # Errors
    /// As [`Org::subscribe_all`]; then there is no task.
    pub fn subscribe_by_task(
        &self,
        worker: WorkerId,
        wanted: &[(Arc<ChannelId>, Since)],
        now: Now,
        task: impl FnOnce(Vec<Subscribed>) -> Task,
    ) -> Result<(), SubscribeAllError> {
        let mut state = self.lock();
        let subscribed = self.subscribe_several(&mut state, worker, wanted, now)?;
        for one in &subscribed {
            if let Some(listening) = state.by_uid(one.channel).and_then(|channel| channel.listening(worker)) {
                listening.tasks += 1;
            }
        }
        if self.shared.inbox(worker).put(Delivery::Task(task(subscribed))) == Put::First {
            state.woken.push(worker);
        }
        Ok(())
    }

    /// Says that the task of [`Org::subscribe_by_task`] has come out of the worker's inbox, once for each of its channels. Where the
    /// worker made no entry and has no other, it then calls [`Org::unsubscribe`].
    pub fn task_arrived(&self, worker: WorkerId, channels: impl IntoIterator<Item = ChannelUid>) {
        let mut state = self.lock();
        for uid in channels {
            if let Some(listening) = state.by_uid(uid).and_then(|channel| channel.listening(worker)) {
                listening.tasks = listening.tasks.saturating_sub(1);
            }
        }
    }

    fn subscribe_several(
        &self,
        state: &mut State,
        worker: WorkerId,
        wanted: &[(Arc<ChannelId>, Since)],
        now: Now,
    ) -> Result<Vec<Subscribed>, SubscribeAllError> {
        let mut uids = Vec::with_capacity(wanted.len());
        for (index, (id, since)) in wanted.iter().enumerate() {
            match self.ready(state, id, *since, now) {
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
            |(uid, (_, since)): (ChannelUid, &(_, Since))| self.attach(state, worker, uid, *since, now);
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
        if channel.listening(worker).is_none() {
            channel.workers.push(Listening { worker, tasks: 0 });
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

    /// Ends a worker's interest in a channel: its last subscriber there has gone. Nothing happens while a task is on its way
    /// that brings it another.
    pub fn unsubscribe(&self, worker: WorkerId, uid: ChannelUid, now: Now) {
        let mut state = self.lock();
        let Some(channel) = state.by_uid(uid) else { return };
        channel.workers.retain(|one| one.worker != worker || one.tasks > 0);
        channel.used = now.monotonic;
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// What memory has of a channel after `since`.
    pub fn recent(&self, id: &ChannelId, since: Position, limit: usize, now: Now) -> Recent {
        let mut state = self.lock();
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
}
