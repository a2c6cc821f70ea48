use std::collections::HashSet;

use antiphon_hub::{Delivery, Fanout, Group};
use antiphon_model::{Kind, Publication, SessionId};
use bytes::Bytes;
use slab::Slab;
use smallvec::SmallVec;

use crate::chunk;
use crate::format::{Encoder, Framing, Wire};
use crate::session::{Closing, Session, SessionKey};
use crate::worker::{Pushed, State};
use crate::{Close, SlowReader, Worker};

/// A run is cut when it has so many bytes, so that one segment does not become one huge buffer.
const RUN_BYTES_MAX: usize = 256 << 10;

/// Sessions that do not get some publications, because of a channel that they listen to.
type LeftOut = HashSet<SessionId, foldhash::fast::RandomState>;

impl Worker {
    /// Spreads publications over the outboxes of those who listen.
    pub(crate) fn spread(&self, publications: &[Delivery]) {
        let mut state = self.0.state.borrow_mut();
        let State { sessions, fanout, dirty, encoder, .. } = &mut *state;
        let mut spread =
            Spread { worker: self, sessions, dirty, encoder, left_out: None, deliveries: 0, bytes: 0 };
        // Consecutive publications on one channel are a run: one segment of bytes, one push for each subscriber.
        // Runs keep the order of the batch, so a subscriber of several channels gets them in order too.
        for channel in publications.chunk_by(is_one_run) {
            for run in cut(channel) {
                spread.spread_run(fanout, run);
            }
        }
        let Spread { deliveries, bytes, .. } = spread;
        drop(state);
        let metrics = self.node().metrics();
        metrics.deliveries.inc_by(deliveries);
        metrics.outbox_bytes.inc_by(bytes);
        self.observe_latency(publications);
    }

    /// One observation for each run: they left together.
    fn observe_latency(&self, publications: &[Delivery]) {
        let wall = self.0.now.get().wall.0;
        for run in publications.chunk_by(|a, b| a.channel() == b.channel()) {
            let Some(first) = run[0].publication() else { continue };
            let waited = wall.saturating_sub(first.position.0);
            self.node().metrics().delivery_seconds.observe(waited);
        }
    }
}

/// Whether two publications are on one channel and leave out the listeners of the same channels.
fn is_one_run(a: &Delivery, b: &Delivery) -> bool {
    match (a, b) {
        (
            Delivery::Publication { channel: a, except: without_a, .. },
            Delivery::Publication { channel: b, except: without_b, .. },
        ) => a == b && without_a == without_b,
        _ => false,
    }
}

fn cut(mut deliveries: &[Delivery]) -> impl Iterator<Item = &[Delivery]> {
    std::iter::from_fn(move || {
        if deliveries.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let end = deliveries.iter().position(|delivery| {
            let full = bytes > RUN_BYTES_MAX;
            bytes += delivery.publication().map_or(0, |publication| publication.payload.len());
            full
        });
        let (run, rest) = deliveries.split_at(end.unwrap_or(deliveries.len()));
        deliveries = rest;
        Some(run)
    })
}

/// A piece of a segment that is so many times smaller is copied: whoever is slow to read it keeps that and not the segment.
const SHARED_PART_MIN: usize = 16;
/// Segments up to this are always shared.
const SHARED_BYTES: usize = 16 << 10;

/// The spreading of some publications.
struct Spread<'a> {
    worker: &'a Worker,
    sessions: &'a mut Slab<Session>,
    dirty: &'a mut Vec<SessionKey>,
    encoder: &'a mut Encoder,
    /// Who does not get the run under way.
    left_out: Option<LeftOut>,
    deliveries: u64,
    /// By how many the outboxes have grown.
    bytes: i64,
}

impl Spread<'_> {
    /// Spreads publications on one channel that all leave out the listeners of the same channels, mostly none.
    fn spread_run(&mut self, fanout: &Fanout<SessionKey, Wire>, run: &[Delivery]) {
        let Some(Delivery::Publication { channel, publication, except }) = run.first() else { return };
        let groups = fanout.groups(*channel);
        let Some(except) = except else {
            return groups.iter().for_each(|group| self.spread(group, run));
        };
        let listeners = |at: &Publication| fanout.listeners_of(except, at.position);
        let last = run.last().and_then(Delivery::publication);
        let same = last.is_none_or(|last| listeners(publication).count() == listeners(last).count());
        if run.len() > 1 && !same {
            // Somebody began to listen there in the midst of the run.
            return run.iter().for_each(|one| self.spread_run(fanout, std::slice::from_ref(one)));
        }
        self.left_out = Some(listeners(publication).collect());
        groups.iter().for_each(|group| self.spread(group, run));
        self.left_out = None;
    }

    fn spread(&mut self, group: &Group<SessionKey, Wire>, run: &[Delivery]) {
        if group.is_empty() {
            return;
        }
        let segment = self.encode(&group.format, run);
        if segment.bytes.is_empty() {
            return;
        }
        let written = segment.written();
        let except = sessions_left_out(run);
        let signals = segment.publications().any(|publication| publication.kind == Kind::Signal);
        for subscriber in group.subscribers() {
            let (key, session) = (subscriber.key, subscriber.session);
            if self.left_out.as_ref().is_some_and(|left_out| left_out.contains(&session)) {
                continue;
            }
            let blocked = signals && self.is_blocked(key);
            if !blocked && subscriber.takes_all(run) && !except.contains(&session) {
                match self.push(key, segment.bytes.clone(), written) {
                    Pushed::In | Pushed::Gone => continue,
                    Pushed::Full => {}
                }
            }
            for (at, publication) in segment.publications().enumerate() {
                if !subscriber.takes(publication) {
                    continue;
                }
                if blocked && publication.kind == Kind::Signal {
                    self.worker.note_drop("volatile");
                } else {
                    self.push_one(key, &segment, at);
                }
            }
        }
    }

    fn encode<'r>(&mut self, wire: &Wire, run: &'r [Delivery]) -> Segment<'r> {
        let framing = wire.framing;
        let mut segment = Segment { bytes: Bytes::new(), ends: SmallVec::new(), run, framing };
        let roughly: usize = segment.publications().map(|publication| publication.payload.len() + 16).sum();
        let mut bytes = Vec::with_capacity(roughly + chunk::HEAD_BYTES_MAX);
        let start = if framing == Framing::Chunked { chunk::HEAD_BYTES_MAX } else { 0 };
        bytes.resize(start, 0);
        for publication in run.iter().filter_map(Delivery::publication) {
            self.encoder.encode(wire, publication, &mut bytes);
            segment.ends.push(bytes.len() - start);
        }
        segment.bytes = match bytes.len() == start {
            true => Bytes::new(),
            false if framing == Framing::Chunked => chunk::close(bytes),
            false => bytes.into(),
        };
        segment
    }

    fn is_blocked(&self, key: SessionKey) -> bool {
        self.sessions.get(key.0 as usize).is_some_and(Session::is_blocked)
    }

    fn push(&mut self, key: SessionKey, bytes: Bytes, publications: usize) -> Pushed {
        let (len, max) = (bytes.len(), self.worker.settings().outbox_bytes_max);
        let pushed = State::push(self.sessions, self.dirty, key, bytes, max);
        if pushed == Pushed::In {
            self.bytes += len as i64;
            self.deliveries += publications as u64;
        }
        pushed
    }

    fn push_one(&mut self, key: SessionKey, segment: &Segment<'_>, at: usize) {
        let bytes = segment.slice(at);
        // The format has nothing to say of it.
        if bytes.is_empty() || self.push(key, bytes, 1) != Pushed::Full {
            return;
        }
        let volatile = segment.publications().nth(at).is_some_and(|one| one.kind == Kind::Signal);
        if volatile || self.worker.settings().slow_reader == SlowReader::Drop {
            self.worker.note_drop(if volatile { "volatile" } else { "outbox full" });
            return;
        }
        // What follows finds the session closing, so it is noted once.
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        self.worker.note_drop("slow reader closed");
        self.bytes -= session.outbox.bytes() as i64;
        session.outbox.clear();
        self.bytes += session.outbox.bytes() as i64;
        let since = self.worker.0.now.get().monotonic;
        session.closing = Some(Box::new(Closing { close: Close::too_slow(), since }));
        if !session.dirty {
            session.dirty = true;
            self.dirty.push(key);
        }
    }
}

/// The sessions that some publications of a run leave out by name: mostly none, or the one that published it.
fn sessions_left_out(run: &[Delivery]) -> SmallVec<[SessionId; 4]> {
    let mut sessions = SmallVec::new();
    for except in run.iter().filter_map(|delivery| delivery.publication()?.except) {
        if !sessions.contains(&except) {
            sessions.push(except);
        }
    }
    sessions
}

/// A run in one wire's bytes.
struct Segment<'a> {
    bytes: Bytes,
    /// Where each publication ends, from where the first begins.
    ends: SmallVec<[usize; 64]>,
    run: &'a [Delivery],
    framing: Framing,
}

impl Segment<'_> {
    fn publications(&self) -> impl Iterator<Item = &Publication> {
        self.run.iter().filter_map(|delivery| delivery.publication().map(|publication| &**publication))
    }

    /// How many of the publications the format wrote.
    fn written(&self) -> usize {
        let mut start = 0;
        self.ends.iter().filter(|end| std::mem::replace(&mut start, **end) < **end).count()
    }

    /// The bytes of the publications, if they are a chunk: what stands around them left out.
    fn unframed(&self) -> &[u8] {
        let end = self.bytes.len() - chunk::LINE_END.len();
        let bytes = self.ends.last().copied().unwrap_or_default();
        &self.bytes[end - bytes..end]
    }

    fn slice(&self, at: usize) -> Bytes {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let part = start..self.ends[at];
        if self.framing == Framing::Chunked {
            return chunk::of(&self.unframed()[part]);
        }
        if self.bytes.len() > SHARED_BYTES && part.len() < self.bytes.len() / SHARED_PART_MIN {
            return Bytes::copy_from_slice(&self.bytes[part]);
        }
        self.bytes.slice(part)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antiphon_hub::ChannelUid;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload, Position};

    use super::*;

    #[test]
    fn a_part_of_a_chunk_is_a_chunk() {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let delivery = |number| {
            let draft = Draft::new(Arc::clone(&channel), Payload::Text("".into()));
            let publication = Arc::new(draft.at(Position(number)));
            Delivery::Publication { channel: ChannelUid(1), publication, except: None }
        };
        let run: Vec<_> = (1..=3).map(delivery).collect();
        let bytes = chunk::of(b"onethree");
        let ends = SmallVec::from_slice(&[3, 3, 8]);
        let segment = Segment { bytes, ends, run: &run, framing: Framing::Chunked };
        assert_eq!(segment.written(), 2);
        assert_eq!([0, 1, 2].map(|at| segment.slice(at)), ["3\r\none\r\n", "", "5\r\nthree\r\n"]);
    }
}
