//! A hub with workers, subscribers, a store and clocks, each simulated, beside the reference it is held against.

mod presence;
mod replies;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_hub::{
    Delivery, Fanout, Filter, Hold, Hub, HubSettings, Inbox, Org, Outcome, Rule, Rules, Since,
    SubscribeError, Subscribed, Subscriber, Subscription, Task, WorkerId,
};
use antiphon_model::{
    ChannelFlags, ChannelId, ChannelPattern, Draft, Identity, IdentityKind, Kind, Monotonic, Now, OrgId,
    Payload, Position, Publication, SessionId, Timestamp,
};
use proptest::sample::Index;

use crate::operation::{From, Operation, Presence, Which};
use crate::reference::{Chan, Except, Reference, Spec, Told, interval_event, presence_event, wants};
use crate::{ANNOUNCE_MAX, INTERVAL, INTERVAL_BYTES_MAX, PREFIXES};

const IDLE: Duration = Duration::from_secs(3);
const REPLIES_MAX: usize = 3;
const BROADCASTS_MAX: usize = 4;
const START: Timestamp = Timestamp(17_000_000_000_000_000);
/// Above the clock, so that the first positions are given by counting on.
const FLOOR: Position = Position(START.0 + 20_000);
const WORKERS: usize = 3;
const IDENTITIES: usize = 3;

/// A subscriber as its client knows it.
struct Session {
    worker: Option<usize>,
    /// How often it has connected: a task for an earlier time comes too late.
    connections: u64,
    channels: BTreeMap<Chan, Option<Subscription>>,
    /// The last position seen: from here it goes on when it comes back.
    cursor: Position,
    no_odd: bool,
}

/// A subscriber of one more channel, on its way to the worker.
struct Joining {
    session: u64,
    connection: u64,
    chan: Chan,
    subscribed: Vec<Subscribed>,
}

#[derive(Default)]
struct Worker {
    fanout: Fanout<u64, ()>,
}

type Log = Arc<Mutex<Vec<Told>>>;

pub(crate) struct World {
    hub: Hub,
    org: Arc<Org>,
    ids: Vec<Arc<ChannelId>>,
    identities: Vec<Arc<Identity>>,
    workers: Vec<Worker>,
    sessions: BTreeMap<u64, Session>,
    last_session: u64,
    now: Now,
    reference: Reference,
    /// Committed publications on channels that persist.
    store: BTreeMap<Position, Arc<Publication>>,
    /// Held ones, and whether the store has them already.
    unsettled: Vec<Arc<Publication>>,
    logs: Vec<Log>,
}

impl World {
    pub(crate) fn new(specs: &'static [Spec]) -> World {
        let settings = HubSettings {
            channel_idle: IDLE,
            presence_announce_max: ANNOUNCE_MAX,
            presence_interval: INTERVAL,
            presence_interval_bytes_max: INTERVAL_BYTES_MAX,
            replies_max: REPLIES_MAX,
            broadcasts_max: BROADCASTS_MAX,
            ..HubSettings::default()
        };
        let inboxes = (0..WORKERS).map(|_| Arc::new(Inbox::new(Box::new(|| {}))));
        let hub = Hub::new(settings, inboxes, Box::new(|| {}));
        let rules = Rules::new(specs.iter().map(|spec| Rule {
            channels: ChannelPattern::new(spec.name),
            history_size: spec.history,
            history_age: spec.age,
            ring_size: spec.ring,
            persist: spec.persist,
            presence: spec.presence,
            ..Rule::default()
        }));
        let org = hub.add_org(OrgId::new("a"), rules, FLOOR);
        let channel = |spec: &Spec| Arc::new(ChannelId::new(spec.name, ChannelFlags::NONE).unwrap());
        let identity = |n: usize| Arc::new(Identity::new(IdentityKind::User, &n.to_string()));
        World {
            hub,
            org,
            ids: specs.iter().map(channel).collect(),
            identities: (0..IDENTITIES).map(identity).collect(),
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            sessions: BTreeMap::new(),
            last_session: 0,
            now: Now { wall: START, monotonic: Monotonic::default() },
            reference: Reference::new(specs, FLOOR),
            store: BTreeMap::new(),
            unsettled: Vec::new(),
            logs: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, operation: Operation) {
        // No two operations at the same time: so no two deadlines are the same, and their order is known.
        self.now.monotonic = self.now.monotonic + Duration::from_nanos(1);
        match operation {
            Operation::Publish { chan, hold, except, except_of } => {
                let session = except.and_then(|which| self.pick(which, |_| true));
                self.publish(chan, hold, Except { session, listeners_of: except_of });
            }
            Operation::PublishAll { chans } => self.publish_all(&chans),
            Operation::Settle { which, keep } => self.settle(which, keep),
            Operation::Subscribe { worker, chans, since, no_odd } => {
                let chan = |(index, which)| match which {
                    Which::Itself => Chan::Plain(index),
                    Which::Companion => Chan::Companion(index),
                    Which::Wildcard => Chan::Wildcard(index % PREFIXES.len()),
                    Which::WildcardCompanion => Chan::WildcardCompanion(index % PREFIXES.len()),
                };
                let chans: BTreeSet<Chan> = chans.into_iter().map(chan).collect();
                self.subscribe(usize::from(worker), chans, since, no_odd);
            }
            Operation::Add { who, chan } => self.add(who, Chan::Plain(chan)),
            Operation::AddByTask { who, chan } => self.add_by_task(who, Chan::Plain(chan)),
            Operation::Disconnect { who } => {
                if let Some(session) = self.pick(who, |session| session.worker.is_some()) {
                    self.disconnect(session);
                }
            }
            Operation::Resubscribe { who, worker } => {
                if let Some(session) = self.pick(who, |session| session.worker.is_none()) {
                    let since = Since::After(self.sessions[&session].cursor);
                    self.connect(session, usize::from(worker), since);
                }
            }
            Operation::Unsubscribe { who } => {
                if let Some(session) = self.pick(who, |_| true) {
                    self.disconnect(session);
                    self.sessions.remove(&session);
                }
            }
            Operation::Delete { chan, after, until } => self.delete(chan, after, until),
            Operation::Drain { worker } => self.drain(usize::from(worker)),
            Operation::Recent { chan, since } => self.recent(chan, since),
            Operation::Presence { chan, who, what } => self.presence(chan, who, what),
            Operation::Broadcast { chan, hold, timeout, until } => self.broadcast(chan, hold, timeout, until),
            Operation::Reply { to, right } => self.reply(to, right),
            Operation::ExpectReplies { to, until } => self.expect_replies(to, until),
            Operation::EndReplies { to } => self.end_replies(to),
            Operation::Advance { millis, wall_millis } => self.advance(millis, wall_millis),
            Operation::HandleTimeout => self.handle_timeout(),
        }
        self.check();
    }

    /// Everyone leaves, everything settles, and much time passes: nothing is left in memory that need not be.
    pub(crate) fn wind_down(&mut self) {
        for worker in 0..WORKERS {
            self.drain(worker);
        }
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.disconnect(session);
            // Once more, so that what it had not seen yet is compared as well.
            let since = Since::After(self.sessions[&session].cursor);
            self.connect(session, 0, since);
            self.disconnect(session);
        }
        for (chan, who) in self.reference.present.keys().copied().collect::<Vec<_>>() {
            for session in 0..3 {
                self.presence(chan, who, Presence::Leave { session });
            }
        }
        // First the last of what is held and who lingers, and then is told of; then all that age takes out of memory.
        for _ in 0..2 {
            self.advance(10_000, 10_000);
            self.handle_timeout();
            self.check();
        }
        self.now.wall = Timestamp(self.now.wall.0.max(self.reference.last.0));
        self.now.wall = self.now.wall.later_by(Duration::from_secs(8 * 86_400));
        // An idle channel is looked at every `IDLE`.
        for _ in 0..3 {
            self.advance(10_000, 10_000);
            self.handle_timeout();
            self.check();
        }
        for index in 0..self.ids.len() {
            self.look_at(Chan::Plain(index));
        }
        let left = (0..self.ids.len()).filter(|index| {
            let chan = Chan::Plain(*index);
            !self.reference.spec(chan).persist && !self.reference.kept(chan, Position::ZERO).is_empty()
        });
        let (left, stats) = (left.count(), self.org.stats());
        assert_eq!((stats.channels, stats.fading), (left, left), "channels are forgotten");
        assert_eq!((stats.lingering, stats.held, stats.broadcasts), (0, 0, 0));
        assert!(self.workers.iter().all(|worker| worker.fanout.channels() == 0));
        if left == 0 {
            assert_eq!(self.hub.poll_timeout(), None, "nothing to wait for");
        }
    }

    fn id(&self, chan: Chan) -> Arc<ChannelId> {
        match chan {
            Chan::Plain(index) => Arc::clone(&self.ids[index]),
            Chan::Companion(index) => Arc::new(self.ids[index].presence()),
            Chan::Wildcard(index) => Arc::new(ChannelId::wildcard_of(PREFIXES[index]).unwrap()),
            Chan::WildcardCompanion(index) => {
                Arc::new(ChannelId::wildcard_of(PREFIXES[index]).unwrap().presence())
            }
        }
    }

    fn pick(&self, which: Index, suits: impl Fn(&Session) -> bool) -> Option<u64> {
        let suiting: Vec<u64> =
            self.sessions.iter().filter(|(_, session)| suits(session)).map(|(id, _)| *id).collect();
        if suiting.is_empty() { None } else { Some(*which.get(&suiting)) }
    }

    fn position(&self, since: From) -> Option<Position> {
        let given = &self.reference.entries;
        match since {
            From::Now => None,
            From::Zero => Some(Position::ZERO),
            From::Given(_) if given.is_empty() => Some(FLOOR),
            From::Given(which) => Some(which.get(given).position),
            From::Future(ahead) => Some(Position(self.reference.last.0 + ahead)),
        }
    }

    fn hold(&self, millis: Option<u64>) -> (Hold, Option<Monotonic>) {
        let until = millis.map(|millis| self.now.monotonic + Duration::from_millis(millis));
        (until.map_or(Hold::No, Hold::Until), until)
    }

    fn draft(&self, number: usize, chan: usize, except: &Except) -> (Draft, String, bool) {
        let (what, odd) = (format!("message {number}"), number % 2 == 1);
        let mut draft = Draft::new(Arc::clone(&self.ids[chan]), Payload::Text(what.clone().into()));
        draft.name = odd.then(|| "odd".into());
        draft.except = except.session.map(SessionId);
        if !except.listeners_of.is_empty() {
            let channels = except.listeners_of.iter().map(|chan| Arc::clone(&self.ids[*chan]));
            draft.except_listeners_of = Some(channels.collect());
        }
        (draft, what, odd)
    }

    fn publish(&mut self, chan: usize, hold: Option<u64>, except: Except) {
        let (hold, until) = self.hold(hold);
        let (draft, what, odd) = self.draft(self.reference.entries.len(), chan, &except);
        let published = self.org.publish(draft, hold, self.now).unwrap();
        let expected = self.reference.publish(Chan::Plain(chan), what, odd, except, until, self.now);
        assert_eq!(published.position, expected);
        self.published(published, until);
    }

    fn publish_all(&mut self, chans: &[(usize, Option<u64>)]) {
        let (mut drafts, mut expected) = (Vec::new(), Vec::new());
        for (at, (chan, hold)) in chans.iter().enumerate() {
            let listeners_of = chans[..at].iter().map(|(chan, _)| *chan).collect();
            let except = Except { session: None, listeners_of };
            let (draft, what, odd) = self.draft(self.reference.entries.len() + at, *chan, &except);
            let (hold, until) = self.hold(*hold);
            drafts.push((draft, hold));
            expected.push((*chan, what, odd, except, until));
        }
        let published = self.org.publish_all(drafts, self.now).unwrap();
        let first = published.first().map_or(0, |first| first.position.0);
        assert!((first..).zip(&published).all(|(position, one)| one.position.0 == position), "consecutive");
        for (publication, (chan, what, odd, except, until)) in published.into_iter().zip(expected) {
            let expected = self.reference.publish(Chan::Plain(chan), what, odd, except, until, self.now);
            assert_eq!(publication.position, expected);
            self.published(publication, until);
        }
    }

    fn published(&mut self, publication: Arc<Publication>, held: Option<Monotonic>) {
        if held.is_some() {
            self.unsettled.push(publication);
        } else {
            self.commit(publication);
        }
    }

    fn commit(&mut self, publication: Arc<Publication>) {
        if self.org.rule(&publication.channel).persist {
            self.store.insert(publication.position, publication);
        }
    }

    fn settle(&mut self, which: Index, keep: bool) {
        if self.unsettled.is_empty() {
            return;
        }
        let publication = self.unsettled.swap_remove(which.index(self.unsettled.len()));
        let keep = keep || self.store.contains_key(&publication.position);
        let position = publication.position;
        if keep {
            self.commit(publication);
        }
        self.org.settle(position, if keep { Outcome::Deliver } else { Outcome::Drop }, self.now);
        self.reference.settle(position, keep);
        self.reference.release(self.now);
    }

    /// As whoever owns hub and store deletes: up to this moment, after what is on its way to the disk, and in memory last.
    fn delete(&mut self, chan: usize, after: From, until: From) {
        let id = Arc::clone(&self.ids[chan]);
        let (after, until) = [after, until].map(|at| self.position(at).unwrap_or(self.reference.last)).into();
        let until = until.min(self.reference.last);
        // What was delivered is on its way to the store, before this. To settle one may deliver another.
        while let Some(at) = self
            .unsettled
            .iter()
            .position(|one| *one.channel == *id && one.position <= self.reference.delivered)
        {
            let publication = self.unsettled.swap_remove(at);
            let position = publication.position;
            self.commit(publication);
            self.org.settle(position, Outcome::Deliver, self.now);
            self.reference.settle(position, true);
            self.reference.release(self.now);
        }
        self.store.retain(|at, one| *one.channel != *id || *at <= after || *at > until);
        // What is too old leaves memory first, and is a gap as ever.
        self.look_at(Chan::Plain(chan));
        self.org.delete(&id, after, until);
        self.reference.delete(Chan::Plain(chan), after, until);
    }

    fn subscribe(&mut self, worker: usize, chans: BTreeSet<Chan>, since: From, no_odd: bool) {
        self.last_session += 1;
        let session = self.last_session;
        let channels = chans.into_iter().map(|chan| (chan, None)).collect();
        let (cursor, connections) = (Position::ZERO, 0);
        self.sessions.insert(session, Session { worker: None, connections, channels, cursor, no_odd });
        let since = self.position(since).map_or(Since::Now, Since::After);
        self.connect(session, worker, since);
    }

    /// Reads what the store has. As a store has to: what is on its way to the disk is waited for.
    fn read_store(&mut self, id: &ChannelId, after: Position, up_to: Position) -> Vec<Arc<Publication>> {
        for publication in self.unsettled.clone() {
            if publication.position <= up_to && publication.position <= self.reference.delivered {
                self.commit(publication);
            }
        }
        let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Included(up_to));
        let read = if after < up_to { Some(self.store.range(range)) } else { None };
        let of_channel = |(_, publication): (_, &Arc<Publication>)| Arc::clone(publication);
        read.into_iter().flatten().map(of_channel).filter(|publication| *publication.channel == *id).collect()
    }

    /// Begins a session's subscriptions, all at one point, reading from the store what memory has no longer.
    fn connect(&mut self, session: u64, worker: usize, since: Since) {
        let chans: Vec<Chan> = self.sessions[&session].channels.keys().copied().collect();
        let mut wanted: Vec<_> = chans.iter().map(|chan| (self.id(*chan), since)).collect();
        let mut read: Vec<Vec<Arc<Publication>>> = vec![Vec::new(); chans.len()];
        let begun = loop {
            let refused = match self.org.subscribe_all(WorkerId(worker as u16), &wanted, self.now) {
                Ok(begun) => break begun,
                Err(refused) => refused,
            };
            let SubscribeError::NotInMemory { floor } = refused.error else { panic!("{refused}") };
            let (id, since) = wanted[refused.index].clone();
            let Since::After(position) = since else { panic!("from now on is always in memory") };
            assert!(self.org.rule(&id).persist && floor > position, "only then the store can help");
            read[refused.index].extend(self.read_store(&id, position, floor));
            wanted[refused.index].1 = Since::After(floor);
        };
        for chan in &chans {
            self.look_at(*chan);
        }
        let mut merged = Vec::new();
        for ((chan, begun), stored) in chans.iter().zip(&begun).zip(read) {
            assert_eq!(begun.from, begun_at(since, &self.reference), "one point for all");
            let missed = stored.into_iter().chain(begun.missed.iter().cloned()).collect::<Vec<_>>();
            self.check_missed(session, *chan, since, &missed, begun.gap);
            merged.extend(missed);
            let subscriber = Subscriber {
                key: session,
                from: begun.from,
                session: SessionId(session),
                filter: self.filter(session),
            };
            let subscription = self.workers[worker].fanout.add(begun.channel, (), subscriber);
            let state = self.sessions.get_mut(&session).unwrap();
            state.channels.insert(*chan, Some(subscription));
            let no_odd = state.no_odd;
            let listener = self.reference.listeners.entry(session).or_default();
            listener.no_odd = no_odd;
            listener.channels.insert(*chan, begun.from);
        }
        merged.sort_by_key(|publication| publication.position);
        let from = begun_at(since, &self.reference);
        assert!(merged.last().is_none_or(|last| last.position <= from), "what comes live comes after it");
        let state = self.sessions.get_mut(&session).unwrap();
        (state.worker, state.cursor) = (Some(worker), from);
        state.connections += 1;
    }

    fn filter(&self, session: u64) -> Option<Filter> {
        self.sessions[&session].no_odd.then(|| -> Filter {
            Rc::new(|publication: &Publication| publication.name.as_deref() != Some("odd"))
        })
    }

    /// Without a gap, it is everything since; with one, all that is kept, and something is missing.
    fn check_missed(&self, session: u64, chan: Chan, since: Since, missed: &[Arc<Publication>], gap: bool) {
        let reference = &self.reference;
        let Since::After(position) = since else {
            assert!(missed.is_empty() && !gap);
            return;
        };
        let spec = reference.spec(chan);
        let Session { no_odd, ref channels, .. } = self.sessions[&session];
        let withdrawn = |at: Position| reference.entries.iter().any(|e| e.position == at && e.withdrawn);
        let listens =
            |id: &Arc<ChannelId>| self.sessions[&session].channels.keys().any(|on| self.id(*on) == *id);
        let left_out = |publication: &Publication| {
            let channels = publication.except_listeners_of.as_deref().unwrap_or_default();
            publication.except == Some(SessionId(session)) || channels.iter().any(listens)
        };
        let filtered = |publication: &Publication| no_odd && publication.name.as_deref() == Some("odd");
        let wanted = |one: &&Arc<Publication>| !left_out(one) && !filtered(one) && !withdrawn(one.position);
        let got: Vec<_> = missed.iter().filter(wanted).map(|p| (p.position, what(p))).collect();
        let all: Vec<_> = reference
            .since(chan, position)
            .filter(|entry| wants(session, no_odd, entry) && !entry.withdrawn)
            .filter(|entry| !entry.except_of.iter().any(|chan| channels.contains_key(&Chan::Plain(*chan))))
            .map(|entry| (entry.position, entry.what.clone()))
            .collect();
        let kept: Vec<_> = {
            let kept = reference.kept(chan, position);
            all.iter().filter(|(at, _)| spec.persist || kept.contains(at)).cloned().collect()
        };
        if position > reference.last {
            assert!(gap && got.is_empty(), "a position of the future has missed who knows what");
        } else if position == Position::ZERO {
            assert!(!gap, "all there is is never too little");
            match chan {
                Chan::Plain(_) => assert_eq!(got, kept),
                _ => assert!(all.ends_with(&got)),
            }
        } else if !gap {
            assert_eq!(got, all, "no gap: nothing lost, doubled or reordered on {chan:?} after {position}");
        } else if let Chan::Plain(_) = chan {
            assert_eq!(got, kept, "a gap, but what is kept is had");
            let unknowable = position < reference.doubt || spec.history == 0;
            assert!(reference.lost(chan, position) || unknowable, "a false gap on {chan:?} after {position}");
        } else {
            assert!(all.ends_with(&got));
        }
    }

    /// Does in the reference what looking at a channel does to what is too old.
    fn look_at(&mut self, chan: Chan) {
        let floor = self.org.recent(&self.id(chan), Position::ZERO, 0, self.now).floor;
        self.reference.expire(chan, floor, self.now);
    }

    fn add(&mut self, who: Index, chan: Chan) {
        let Some(session) = self.pick(who, |session| session.worker.is_some()) else { return };
        let state = &self.sessions[&session];
        // Who began after what is still held is ahead of the rest: on one more channel he would see what lies before.
        if state.channels.contains_key(&chan) || state.cursor > self.reference.delivered {
            return;
        }
        let worker = state.worker.unwrap();
        let begun =
            self.org.subscribe(WorkerId(worker as u16), &self.id(chan), Since::Now, self.now).unwrap();
        assert_eq!(begun.from, self.reference.delivered);
        self.look_at(chan);
        let subscriber = Subscriber {
            key: session,
            from: begun.from,
            session: SessionId(session),
            filter: self.filter(session),
        };
        let subscription = self.workers[worker].fanout.add(begun.channel, (), subscriber);
        self.sessions.get_mut(&session).unwrap().channels.insert(chan, Some(subscription));
        self.reference.listeners.get_mut(&session).unwrap().channels.insert(chan, begun.from);
    }

    fn add_by_task(&mut self, who: Index, chan: Chan) {
        let Some(session) = self.pick(who, |session| session.worker.is_some()) else { return };
        let state = &self.sessions[&session];
        if state.channels.contains_key(&chan) || state.cursor > self.reference.delivered {
            return;
        }
        let (worker, connection) = (WorkerId(state.worker.unwrap() as u16), state.connections);
        let joining = |subscribed| -> Task { Box::new(Joining { session, connection, chan, subscribed }) };
        let wanted = [(self.id(chan), Since::Now)];
        self.org.subscribe_by_task(worker, &wanted, self.now, joining).unwrap();
        self.look_at(chan);
        self.sessions.get_mut(&session).unwrap().channels.insert(chan, None);
        let from = self.reference.delivered;
        self.reference.listeners.get_mut(&session).unwrap().channels.insert(chan, from);
    }

    /// What a worker does with a task that it finds among its publications.
    fn handle_task(&mut self, worker: usize, joining: &Joining) {
        let Joining { session, connection, chan, ref subscribed } = *joining;
        let begun = &subscribed[0];
        let filter = if self.sessions.contains_key(&session) { self.filter(session) } else { None };
        let state = self.sessions.get_mut(&session).filter(|state| state.connections == connection);
        if let Some(state) = state.filter(|state| state.worker == Some(worker)) {
            let subscriber =
                Subscriber { key: session, from: begun.from, session: SessionId(session), filter };
            let subscription = self.workers[worker].fanout.add(begun.channel, (), subscriber);
            state.channels.insert(chan, Some(subscription));
        }
        let id = WorkerId(worker as u16);
        self.org.task_arrived(id, [begun.channel]);
        if self.workers[worker].fanout.groups(begun.channel).is_empty() {
            self.org.unsubscribe(id, begun.channel, self.now);
        }
    }

    fn disconnect(&mut self, session: u64) {
        let state = self.sessions.get_mut(&session).unwrap();
        let Some(worker) = state.worker.take() else { return };
        for subscription in state.channels.values_mut().filter_map(Option::take) {
            if self.workers[worker].fanout.remove(subscription) {
                self.org.unsubscribe(WorkerId(worker as u16), subscription.channel, self.now);
            }
        }
        self.reference.listeners.remove(&session);
    }

    fn drain(&mut self, worker: usize) {
        let mut batch = Vec::new();
        self.hub.inbox(WorkerId(worker as u16)).drain(&mut batch);
        for delivery in &batch {
            let (channel, publication, except) = match delivery {
                Delivery::Publication { channel, publication, except } => (channel, publication, except),
                Delivery::Task(task) => {
                    self.handle_task(worker, task.downcast_ref().unwrap());
                    continue;
                }
            };
            let except = except.as_deref().unwrap_or_default();
            let fanout = &self.workers[worker].fanout;
            let left_out: Vec<_> = fanout.listeners_of(except, publication.position).collect();
            for group in self.workers[worker].fanout.groups(*channel) {
                for subscriber in group.subscribers() {
                    if !subscriber.takes(publication) {
                        let whole = subscriber.takes_all(std::slice::from_ref(delivery));
                        assert!(!whole || publication.except.is_some());
                        continue;
                    }
                    if left_out.contains(&subscriber.session) {
                        continue;
                    }
                    let session = self.sessions.get_mut(&subscriber.key).unwrap();
                    assert!(publication.position > session.cursor, "positions rise over all channels");
                    session.cursor = publication.position;
                    let listener = self.reference.listeners.get_mut(&subscriber.key).unwrap();
                    let expected = listener.expected.pop_front().expect("nothing comes unexpected");
                    let expected = &self.reference.entries[expected];
                    assert_eq!(
                        (publication.position, what(publication)),
                        (expected.position, expected.what.clone())
                    );
                }
            }
        }
        for (id, session) in self.sessions.iter().filter(|(_, session)| session.worker == Some(worker)) {
            assert!(self.reference.listeners[id].expected.is_empty(), "everything came to {id}");
            assert!(session.cursor <= self.reference.last.max(session.cursor));
        }
    }

    fn recent(&mut self, chan: usize, since: From) {
        let position = self.position(since).unwrap_or(self.reference.delivered);
        let recent = self.org.recent(&self.ids[chan], position, 3, self.now);
        let chan = Chan::Plain(chan);
        self.look_at(chan);
        let got: Vec<_> = recent.publications.iter().map(|publication| publication.position).collect();
        let complete = self.reference.since(chan, position.max(recent.floor));
        let complete: Vec<_> = complete.map(|entry| entry.position).collect();
        assert_eq!(got, complete.iter().copied().take(3).collect::<Vec<_>>(), "complete after the floor");
        assert_eq!((recent.more, recent.delivered), (complete.len() > 3, self.reference.delivered));
        if !self.reference.spec(chan).persist {
            assert_eq!(self.reference.kept(chan, position), complete, "and no less than is to be kept");
        }
    }

    fn advance(&mut self, millis: u64, wall_millis: i64) {
        self.now.monotonic = self.now.monotonic + Duration::from_millis(millis);
        self.now.wall = Timestamp(self.now.wall.0.saturating_add_signed(wall_millis * 10_000));
    }

    fn handle_timeout(&mut self) {
        self.hub.handle_timeout(self.now);
        self.reference.handle_timeout(self.now);
        self.reference.forget(IDLE, self.now);
        let next = self.hub.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now.monotonic), "what is due was done");
    }

    fn check(&self) {
        let (reference, stats) = (&self.reference, self.org.stats());
        assert_eq!(self.org.last_position(), reference.last);
        assert_eq!(self.org.delivered(), reference.delivered);
        assert_eq!(stats.held, reference.waiting());
        assert_eq!(stats.publications, reference.entries.len() as u64);
        assert_eq!(stats.broadcasts, reference.broadcasts.iter().filter(|one| one.is_open()).count());
        if let Some(earliest) = reference.earliest() {
            assert!(self.hub.poll_timeout().is_some_and(|due| due <= earliest), "woken in time");
        }
        let lingering = reference.present.values().filter(|member| member.deadline().is_some()).count();
        assert_eq!(stats.lingering, lingering, "one deadline for each who lingers");
        for (broadcast, log) in reference.broadcasts.iter().zip(&self.logs) {
            assert_eq!(*log.lock().unwrap(), broadcast.told);
        }
        for (chan, id) in self.ids.iter().enumerate() {
            let (occupancy, members) = self.org.members(id, IDENTITIES);
            let got: Vec<_> = members
                .iter()
                .map(|member| {
                    let state = member.state.as_ref().map(|state| state.as_str().to_owned());
                    (member.identity.id.to_string(), state, member.sessions)
                })
                .collect();
            let here = reference.present.iter().filter(|((on, _), _)| *on == chan);
            let expected: Vec<_> =
                here.map(|((_, who), m)| (who.to_string(), m.state.clone(), m.sessions.len())).collect();
            assert_eq!((occupancy, got), (expected.len(), expected));
        }
        self.check_whereabouts();
    }
}

/// After which position a subscription that begins here is live.
fn begun_at(since: Since, reference: &Reference) -> Position {
    match since {
        Since::After(position) if position <= reference.last => reference.delivered.max(position),
        _ => reference.delivered,
    }
}

fn text(payload: &Payload) -> String {
    String::from_utf8(payload.to_bytes().into_owned()).unwrap()
}

/// What a publication says, as the reference writes it.
fn what(publication: &Publication) -> String {
    if publication.kind != Kind::Presence {
        return text(&publication.payload);
    }
    let event: serde_json::Value = serde_json::from_slice(&publication.payload.to_bytes()).unwrap();
    if publication.name.as_deref() == Some("interval") {
        assert_eq!(publication.publisher, None);
        let names = |list: &str| -> Option<Vec<usize>> {
            let names = event.get(list)?.as_array()?.iter();
            Some(names.map(|name| name.as_str().unwrap().parse().unwrap()).collect())
        };
        let lists = names("join").map(|join| [join, names("leave").unwrap(), names("timeout").unwrap()]);
        assert_eq!(event.get("here_now_refresh").is_some(), lists.is_none());
        return interval_event(event["occupancy"].as_u64().unwrap(), lists.as_ref());
    }
    let who = event["identity"].as_str().unwrap();
    assert_eq!(publication.publisher.as_ref().map(|publisher| &*publisher.id), Some(who));
    let state = event.get("state").map(ToString::to_string);
    let name = publication.name.as_deref().unwrap();
    presence_event(name, who, event["occupancy"].as_u64().unwrap(), state.as_deref())
}
