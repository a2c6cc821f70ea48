use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock;

/// Latencies of a window, in microseconds.
pub(crate) type Latencies = Histogram<u64>;

/// The longest latency that is told apart.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// How many of the crowd's complaints are kept word for word.
const COMPLAINTS_MAX: usize = 20;

/// No latencies yet.
pub(crate) fn latencies() -> Latencies {
    Histogram::new_with_bounds(1, LATENCY_MAX.as_micros() as u64, 3)
        .expect("the bounds and digits are ones that the histogram takes")
}

/// A message of the publisher as it stands in every dialect: `#h;<number>;<due>;<window>#`, which none of them writes in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Counted from 0.
    pub(crate) number: u64,
    /// When it was meant to be sent.
    pub(crate) due: u64,
    /// The window that it belongs to.
    pub(crate) window: u32,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#h;{};{};{}#", self.number, self.due, self.window)
    }
}

impl Mark {
    /// The first mark in the bytes, and where it ends.
    fn first(bytes: &[u8]) -> Option<(Mark, usize)> {
        let mut at = 0;
        loop {
            at += bytes[at..].windows(3).position(|three| three == b"#h;")? + 3;
            let length = bytes[at..].iter().position(|byte| *byte == b'#')?;
            let text = std::str::from_utf8(&bytes[at..at + length]).ok();
            let mut parts = text.unwrap_or_default().split(';').map(str::parse::<u64>);
            if let (Some(Ok(number)), Some(Ok(due)), Some(Ok(window))) =
                (parts.next(), parts.next(), parts.next())
            {
                let window = u32::try_from(window).ok()?;
                return Some((Mark { number, due, window }, at + length + 1));
            }
        }
    }
}

/// What the crowd heard.
#[derive(Debug)]
pub(crate) struct Tally {
    window: AtomicU32,
    published: AtomicU64,
    acknowledged: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    windows: BTreeMap<u32, Latencies>,
    /// Which message each client is to hear next; none before its first.
    next: Vec<Option<u64>>,
    /// Whose connection has ended: nothing more is due to them.
    lost: Vec<usize>,
    complaints: Vec<String>,
    complaints_more: usize,
    heard: u64,
}

impl Tally {
    /// For so many clients.
    pub(crate) fn new(clients: usize) -> Tally {
        let inner = Inner { next: vec![None; clients], ..Inner::default() };
        Tally {
            window: AtomicU32::new(0),
            published: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            inner: Mutex::new(inner),
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a window: what is meant to be sent from here on belongs to it.
    pub(crate) fn begin(&self, window: u32) {
        self.inner().windows.entry(window).or_insert_with(latencies);
        self.window.store(window, Ordering::Release);
    }

    /// Ends a window, once what belongs to it has been heard, and gives its latencies.
    pub(crate) fn end(&self, window: u32) -> Latencies {
        self.inner().windows.remove(&window).unwrap_or_else(latencies)
    }

    /// The next message to publish, which was due at this time.
    pub(crate) fn publish(&self, due: u64) -> Mark {
        let number = self.published.fetch_add(1, Ordering::AcqRel);
        Mark { number, due, window: self.window.load(Ordering::Acquire) }
    }

    /// The server has said of one more message that it took it.
    pub(crate) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::AcqRel);
    }

    /// How many messages were published, and how many of them acknowledged.
    pub(crate) fn published(&self) -> (u64, u64) {
        (self.published.load(Ordering::Acquire), self.acknowledged.load(Ordering::Acquire))
    }

    /// Takes all messages in what a client was sent, and gives how many bytes of it need not be looked at again.
    pub(crate) fn hear(&self, client: usize, bytes: &[u8]) -> usize {
        let now = clock::micros();
        let mut at = 0;
        let mut inner = self.inner();
        while let Some((mark, end)) = Mark::first(&bytes[at..]) {
            at += end;
            inner.heard += 1;
            let expected = inner.next[client].replace(mark.number + 1);
            if expected.is_some_and(|expected| expected != mark.number) {
                let expected = expected.unwrap_or_default();
                inner.complain(format!("client {client} heard {} where {expected} was due", mark.number));
            }
            if let Some(latencies) = inner.windows.get_mut(&mark.window) {
                latencies.saturating_record(now.saturating_sub(mark.due).max(1));
            }
        }
        at
    }

    /// Something went wrong with one of the crowd, or with the publisher.
    pub(crate) fn complain(&self, what: String) {
        self.inner().complain(what);
    }

    /// A client has lost its connection: that is complained of, once, and it is not waited for any more.
    pub(crate) fn lose(&self, client: usize, what: String) {
        let mut inner = self.inner();
        inner.lost.push(client);
        inner.complain(what);
    }

    /// What the crowd complained of since this was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut inner = self.inner();
        let mut complaints = std::mem::take(&mut inner.complaints);
        let more = std::mem::take(&mut inner.complaints_more);
        if more > 0 {
            complaints.push(format!("and {more} more complaints"));
        }
        complaints
    }

    /// How many clients have not heard all messages before this one.
    pub(crate) fn behind(&self, number: u64) -> usize {
        self.inner().who_is_behind(number).count()
    }

    /// The clients that have not heard all messages before this one, a few of them, with what is due to them.
    pub(crate) fn who_is_behind(&self, number: u64) -> Vec<(usize, Option<u64>)> {
        self.inner().who_is_behind(number).take(5).collect()
    }

    /// How many messages all clients together have heard.
    pub(crate) fn heard(&self) -> u64 {
        self.inner().heard
    }
}

impl Inner {
    fn who_is_behind(&self, number: u64) -> impl Iterator<Item = (usize, Option<u64>)> {
        let all = self.next.iter().copied().enumerate();
        all.filter(move |(client, next)| next.is_none_or(|next| next < number) && !self.lost.contains(client))
    }

    fn complain(&mut self, what: String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(what);
        } else {
            self.complaints_more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> String {
        Mark { number, due: 0, window: 7 }.to_string()
    }

    #[test]
    fn marks_are_found_wherever_they_stand() {
        let tally = Tally::new(1);
        tally.begin(7);
        let bytes = format!("42[\"message\",\"{}\"]#h;x#{}{}", mark(3), mark(4), &mark(5)[..4]);
        assert_eq!(tally.hear(0, bytes.as_bytes()), bytes.len() - 4);
        assert_eq!((tally.behind(5), tally.behind(6)), (0, 1));
        assert_eq!(tally.end(7).len(), 2);
        assert_eq!(tally.complaints(), Vec::<String>::new());
    }

    #[test]
    fn who_lost_his_connection_is_complained_of_and_not_waited_for() {
        let tally = Tally::new(2);
        tally.hear(0, mark(0).as_bytes());
        assert_eq!(tally.who_is_behind(1), [(1, None)]);
        tally.lose(1, "it has gone".to_owned());
        assert_eq!((tally.behind(1), tally.complaints().len()), (0, 1));
    }

    #[test]
    fn what_is_lost_doubled_or_out_of_order_is_complained_of() {
        for (heard, complaints) in [(&[0, 1, 2][..], 0), (&[0, 2], 1), (&[0, 0], 1), (&[1, 0, 1], 1)] {
            let tally = Tally::new(1);
            for number in heard {
                tally.hear(0, mark(*number).as_bytes());
            }
            assert_eq!(tally.complaints().len(), complaints, "{heard:?}");
        }
    }
}
