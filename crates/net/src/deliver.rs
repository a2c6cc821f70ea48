use antiphon_hub::{Delivery, Group};
use antiphon_model::SessionId;
use bytes::Bytes;
use slab::Slab;
use smallvec::SmallVec;

use crate::format::{Encoder, Wire};
use crate::session::{Closing, Session, SessionKey};
use crate::worker::{Pushed, State};
use crate::{Close, SlowReader, Worker};

/// A run is cut when it has so many bytes, so that one segment does not become one huge buffer.
const RUN_BYTES_MAX: usize = 256 << 10;

impl Worker {
    /// Spreads what is in the inbox over the outboxes. False if there was nothing.
    pub(crate) fn deliver(&self) -> bool {
        let mut buffers = self.0.buffers.borrow_mut();
        let batch = &mut buffers.batch;
        self.0.mailbox.inbox.drain(batch);
        if batch.is_empty() {
            return false;
        }
        let mut state = self.0.state.borrow_mut();
        let State { sessions, fanout, dirty, encoder, .. } = &mut *state;
        let mut spread = Spread { worker: self, sessions, dirty, encoder, deliveries: 0, bytes: 0 };
        // Consecutive publications on one channel are a run: one segment of bytes, one push for each subscriber.
        // Runs keep the order of the batch, so a subscriber of several channels gets them in order too.
        for channel in batch.chunk_by(|a, b| a.channel == b.channel) {
            for run in cut(channel) {
                for group in fanout.groups(run[0].channel) {
                    spread.spread(group, run);
                }
            }
        }
        let Spread { deliveries, bytes, .. } = spread;
        drop(state);
        let metrics = self.node().metrics();
        metrics.deliveries.inc_by(deliveries);
        metrics.outbox_bytes.inc_by(bytes);
        self.observe_latency(batch);
        batch.clear();
        if batch.capacity() > 64 << 10 {
            *batch = Vec::new();
        }
        true
    }

    /// One observation for each run: they left together.
    fn observe_latency(&self, batch: &[Delivery]) {
        let wall = self.0.now.get().wall.0;
        for run in batch.chunk_by(|a, b| a.channel == b.channel) {
            let waited = wall.saturating_sub(run[0].publication.position.0);
            self.node().metrics().delivery_seconds.observe(waited as f64 / 1e7);
        }
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
            bytes += delivery.publication.payload.len();
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

/// The spreading of one batch.
struct Spread<'a> {
    worker: &'a Worker,
    sessions: &'a mut Slab<Session>,
    dirty: &'a mut Vec<SessionKey>,
    encoder: &'a mut Encoder,
    deliveries: u64,
    /// By how many the outboxes have grown.
    bytes: i64,
}

impl Spread<'_> {
    fn spread(&mut self, group: &Group<SessionKey, Wire>, run: &[Delivery]) {
        if group.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        let mut ends: SmallVec<[usize; 64]> = SmallVec::new();
        let roughly: usize = run.iter().map(|delivery| delivery.publication.payload.len() + 16).sum();
        bytes.reserve(roughly);
        for delivery in run {
            self.encoder.encode(group.format, &delivery.publication, &mut bytes);
            ends.push(bytes.len());
        }
        let segment = Segment { bytes: bytes.into(), ends: &ends, run };
        let left_out = left_out(run);
        for subscriber in group.subscribers() {
            let key = subscriber.key;
            if subscriber.takes_all(run) && !left_out.contains(&subscriber.session) {
                match self.push(key, segment.bytes.clone(), run.len()) {
                    Pushed::In | Pushed::Gone => continue,
                    Pushed::Full => {}
                }
            }
            for (at, delivery) in run.iter().enumerate() {
                if subscriber.takes(&delivery.publication) {
                    self.push_one(key, &segment, at);
                }
            }
        }
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
        if self.push(key, segment.slice(at), 1) != Pushed::Full {
            return;
        }
        let volatile = segment.run[at].publication.kind == antiphon_model::Kind::Signal;
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

/// The sessions that do not get all of a run: mostly none, or the one that published it.
fn left_out(run: &[Delivery]) -> SmallVec<[SessionId; 4]> {
    let mut sessions = SmallVec::new();
    for except in run.iter().filter_map(|delivery| delivery.publication.except) {
        if !sessions.contains(&except) {
            sessions.push(except);
        }
    }
    sessions
}

/// A run in one wire's bytes.
struct Segment<'a> {
    bytes: Bytes,
    ends: &'a [usize],
    run: &'a [Delivery],
}

impl Segment<'_> {
    fn slice(&self, at: usize) -> Bytes {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let part = start..self.ends[at];
        if self.bytes.len() > SHARED_BYTES && part.len() < self.bytes.len() / SHARED_PART_MIN {
            return Bytes::copy_from_slice(&self.bytes[part]);
        }
        self.bytes.slice(part)
    }
}
