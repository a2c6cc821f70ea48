use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

/// A moment, in nanoseconds since the run began.
pub(crate) type Moment = u64;

/// The number of a publisher's message on a channel, from 0 on.
pub(crate) type Number = u32;

/// Who said what when: what every listener is held against.
///
/// A publisher numbers its messages on each channel. When one was sent, and when the server said that it was taken, is
/// by the one clock of this process, so "sent after the subscription was confirmed" means just that, in every dialect.
#[derive(Default)]
pub(crate) struct Ledger {
    channels: Mutex<HashMap<Arc<str>, Log>>,
}

#[derive(Default)]
struct Log {
    publishers: HashMap<Arc<str>, Track>,
    /// When something was sent, whoever did.
    sent: VecDeque<Moment>,
    /// When history was last deleted.
    deleted: Option<Moment>,
}

#[derive(Default)]
struct Track {
    /// The number of the first entry that is still kept.
    first: Number,
    entries: VecDeque<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    sent: Moment,
    acknowledged: Option<Moment>,
}

impl Ledger {
    /// Notes that a publisher is about to send a message, and gives the number of that.
    pub(crate) fn send(&self, channel: &str, publisher: &str, now: Moment) -> Number {
        let mut channels = self.channels.lock();
        let log = match channels.get_mut(channel) {
            Some(log) => log,
            None => channels.entry(channel.into()).or_default(),
        };
        log.sent.push_back(now);
        let track = match log.publishers.get_mut(publisher) {
            Some(track) => track,
            None => log.publishers.entry(publisher.into()).or_default(),
        };
        track.entries.push_back(Entry { sent: now, acknowledged: None });
        track.first + track.entries.len() as Number - 1
    }

    /// Notes that the server has taken it.
    pub(crate) fn acknowledge(&self, channel: &str, publisher: &str, number: Number, now: Moment) {
        let mut channels = self.channels.lock();
        let track = channels.get_mut(channel).and_then(|log| log.publishers.get_mut(publisher));
        let Some(track) = track else { return };
        let at = number.checked_sub(track.first).map(|at| at as usize);
        if let Some(entry) = at.and_then(|at| track.entries.get_mut(at)) {
            entry.acknowledged.get_or_insert(now);
        }
    }

    /// Notes that messages of the channel are about to be deleted.
    pub(crate) fn delete(&self, channel: &str, now: Moment) {
        self.channels.lock().entry(channel.into()).or_default().deleted = Some(now);
    }

    /// When the channel's history was last deleted.
    pub(crate) fn deleted(&self, channel: &str) -> Option<Moment> {
        self.channels.lock().get(channel)?.deleted
    }

    /// When it was sent; none if it never was, or so long ago that it is forgotten.
    pub(crate) fn sent(&self, channel: &str, publisher: &str, number: Number) -> Option<Moment> {
        let channels = self.channels.lock();
        let track = channels.get(channel)?.publishers.get(publisher)?;
        let at = number.checked_sub(track.first)? as usize;
        track.entries.get(at).map(|entry| entry.sent)
    }

    /// How many messages were sent on the channel since.
    pub(crate) fn sent_since(&self, channel: &str, since: Moment) -> usize {
        let channels = self.channels.lock();
        let Some(log) = channels.get(channel) else { return 0 };
        log.sent.len() - log.sent.partition_point(|sent| *sent < since)
    }

    /// Of each publisher on the channel the last message that was sent after `since` and taken before `before`.
    pub(crate) fn due(&self, channel: &str, since: Moment, before: Moment) -> Vec<(Arc<str>, Number)> {
        let channels = self.channels.lock();
        let Some(log) = channels.get(channel) else { return Vec::new() };
        let last = |track: &Track| {
            let taken = |entry: &Entry| {
                entry.sent > since && entry.acknowledged.is_some_and(|acknowledged| acknowledged < before)
            };
            let at = track.entries.iter().rposition(taken)?;
            Some(track.first + at as Number)
        };
        let publishers = log.publishers.iter();
        publishers.filter_map(|(name, track)| Some((Arc::clone(name), last(track)?))).collect()
    }

    /// Forgets what was sent before this, and the publishers and channels of which nothing is left.
    pub(crate) fn forget(&self, before: Moment) {
        self.channels.lock().retain(|_, log| {
            let old = log.sent.partition_point(|sent| *sent < before);
            log.sent.drain(..old);
            log.publishers.retain(|_, track| {
                let old = track.entries.partition_point(|entry| entry.sent < before);
                track.entries.drain(..old);
                track.first += old as Number;
                !track.entries.is_empty()
            });
            !log.publishers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_numbered_for_each_publisher_and_channel() {
        let ledger = Ledger::default();
        let numbers = [("a", "p"), ("a", "p"), ("a", "q"), ("b", "p")];
        assert_eq!(numbers.map(|(channel, publisher)| ledger.send(channel, publisher, 1)), [0, 1, 0, 0]);
    }

    #[test]
    fn what_was_taken_in_time_is_due() {
        let ledger = Ledger::default();
        for now in [10, 20, 30, 40] {
            ledger.send("a", "p", now);
        }
        ledger.acknowledge("a", "p", 1, 25);
        ledger.acknowledge("a", "p", 2, 35);
        assert_eq!(ledger.due("a", 0, 50), [("p".into(), 2)]);
        assert_eq!(ledger.due("a", 0, 30), [("p".into(), 1)]);
        // Sent before, or not taken yet.
        assert_eq!(ledger.due("a", 30, 50), []);
        assert_eq!(ledger.sent_since("a", 20), 3);
    }

    #[test]
    fn what_is_forgotten_keeps_the_numbers_of_what_is_left() {
        let ledger = Ledger::default();
        for now in [10, 20, 30] {
            ledger.send("a", "p", now);
        }
        ledger.forget(15);
        assert_eq!((ledger.sent("a", "p", 0), ledger.sent("a", "p", 2)), (None, Some(30)));
        assert_eq!(ledger.send("a", "p", 40), 3);
        ledger.forget(100);
        assert_eq!(ledger.sent_since("a", 0), 0);
    }
}
