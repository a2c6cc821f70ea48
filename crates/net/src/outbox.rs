use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes, BytesMut};

/// Up to so many bytes are copied together and written at once; a longer queue is written as it lies.
///
/// One copy of small frames costs less than a long list of slices (see `docs/benchmarks.md`).
const COPY_MAX: usize = 64 << 10;
const SLICES_MAX: usize = 64;

/// What waits to be written to one session: whole frames, shared with other outboxes.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// What comes first. In most turns nothing else does, so that it has a place of its own.
    first: Option<Bytes>,
    /// What comes after it; none if nothing does. An outbox at rest has none.
    line: Option<Box<Line>>,
    bytes: usize,
    /// Bytes beyond the limit that are let in: what a session asked for when it came back.
    allowance: usize,
    /// Whether the first cannot be taken back: it is written in part, or is what all else comes after.
    begun: bool,
}

/// What stands behind the first.
#[derive(Debug, Default)]
struct Line(VecDeque<Bytes>);

/// What became of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Empty,
    /// The socket takes no more at this time.
    Blocked,
}

impl Outbox {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `len` more fit under `max`.
    #[inline]
    pub(crate) fn has_room(&self, len: usize, max: usize) -> bool {
        // An empty outbox takes one of any size: the limits on messages have been kept already.
        self.bytes.saturating_add(len) <= max.saturating_add(self.allowance) || self.is_empty()
    }

    /// Whether `len` more that the session asked for fit under `max`, what it asked for before included.
    pub(crate) fn has_room_for_asked(&self, len: usize, max: usize) -> bool {
        self.bytes.saturating_add(len) <= max || self.is_empty()
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: Bytes) {
        // Nothing to write is no write: the socket would take none of it.
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.first {
            None => self.first = Some(bytes),
            Some(_) => self.line.get_or_insert_with(Line::lent).0.push_back(bytes),
        }
    }

    /// Takes in what the session asked for, whatever its size.
    pub(crate) fn push_asked(&mut self, bytes: Bytes) {
        self.allowance += bytes.len();
        self.push(bytes);
    }

    /// Takes in what has to stand before all else and is never dropped.
    pub(crate) fn push_head(&mut self, bytes: Bytes) {
        debug_assert!(self.is_empty());
        self.push(bytes);
        self.begun = true;
    }

    /// Drops what can be dropped: all but a frame that is written in part.
    pub(crate) fn clear(&mut self) {
        self.give_back_line();
        if !self.begun {
            self.first = None;
        }
        self.bytes = self.first.as_ref().map_or(0, Bytes::len);
        self.allowance = 0;
    }

    /// Takes everything, as one.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let all = match &self.line {
            None => self.first.take(),
            Some(_) => {
                let mut all = BytesMut::with_capacity(self.bytes);
                self.queue().for_each(|bytes| all.extend_from_slice(bytes));
                Some(all.freeze())
            }
        };
        self.emptied();
        all
    }

    /// Takes what was pushed, each for itself.
    pub(crate) fn take_each(&mut self) -> Vec<Bytes> {
        let line = self.line.iter_mut().flat_map(|line| line.0.drain(..));
        let all = self.first.take().into_iter().chain(line).collect();
        self.emptied();
        all
    }

    /// Takes what was pushed, each for itself, up to where `wanted` wants it: it says of each in turn how many of its bytes, and is
    /// asked no more once that is less than all.
    pub(crate) fn take_wanted(&mut self, mut wanted: impl FnMut(&[u8]) -> usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        while let Some(first) = &mut self.first {
            let part = first.split_to(wanted(first).min(first.len()));
            self.bytes -= part.len();
            if !part.is_empty() {
                taken.push(part);
            }
            if !first.is_empty() {
                self.allowance = self.allowance.min(self.bytes);
                return taken;
            }
            self.next();
        }
        self.emptied();
        taken
    }

    fn queue(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(self.line.iter().flat_map(|line| &line.0))
    }

    /// Brings the next to the first place.
    fn next(&mut self) {
        self.first = self.line.as_mut().and_then(|line| line.0.pop_front());
        if self.line.as_ref().is_some_and(|line| line.0.is_empty()) {
            self.give_back_line();
        }
    }

    #[inline]
    fn emptied(&mut self) {
        self.first = None;
        self.bytes = 0;
        self.allowance = 0;
        self.begun = false;
        self.give_back_line();
    }

    #[inline]
    fn give_back_line(&mut self) {
        if let Some(line) = self.line.take() {
            line.give_back();
        }
    }

    /// Writes until nothing is left or the socket takes no more. What the socket keeps for itself is left too.
    pub(crate) fn flush(&mut self, socket: &mut impl Write, scratch: &mut Vec<u8>) -> io::Result<Flushed> {
        while let Some(first) = &self.first {
            let result = match &self.line {
                None => socket.write(first),
                Some(_) => self.write(socket, scratch),
            };
            let written = match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.advance(written);
        }
        match socket.flush() {
            Ok(()) => Ok(Flushed::Empty),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Flushed::Blocked),
            Err(error) => Err(error),
        }
    }

    /// Writes what are several.
    fn write(&self, socket: &mut impl Write, scratch: &mut Vec<u8>) -> io::Result<usize> {
        if self.bytes <= COPY_MAX {
            scratch.clear();
            self.queue().for_each(|bytes| scratch.extend_from_slice(bytes));
            return socket.write(scratch);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(self.queue()) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        socket.write_vectored(&slices[..count])
    }

    // In each of the two kinds of flush: a call costs more than what most writes have to do here.
    #[inline(always)]
    fn advance(&mut self, mut written: usize) {
        if self.bytes == written {
            return self.emptied();
        }
        self.bytes -= written;
        self.allowance = self.allowance.min(self.bytes);
        while let Some(first) = &mut self.first {
            if written < first.len() {
                self.begun |= written > 0;
                first.advance(written);
                return;
            }
            written -= first.len();
            self.begun = false;
            self.next();
        }
    }
}

/// How many lines that nobody needs are kept for others, and how long they may be: a turn of a busy thread needs as many as there are
/// outboxes with several frames, one after the other mostly few.
const SPARE_LINES: usize = 1024;
const SPARE_CAPACITY: usize = 64;

thread_local! {
    // Boxed as outboxes have them, so that neither lending nor giving back allocates.
    #[expect(clippy::vec_box, reason = "they go from here into outboxes as they are")]
    static SPARE: RefCell<Vec<Box<Line>>> = const { RefCell::new(Vec::new()) };
}

impl Line {
    /// One that is empty: of those that were given back, if there is one.
    #[inline(never)]
    fn lent() -> Box<Line> {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    #[inline(never)]
    fn give_back(mut self: Box<Line>) {
        self.0.clear();
        if self.0.capacity() > SPARE_CAPACITY {
            return;
        }
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_LINES {
                spare.push(self);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes at most so many bytes at each write, then blocks once.
    struct Socket {
        takes: Vec<usize>,
        written: Vec<u8>,
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.takes.pop() {
                Some(0) => Err(io::ErrorKind::WouldBlock.into()),
                Some(most) => {
                    let len = bytes.len().min(most);
                    self.written.extend_from_slice(&bytes[..len]);
                    Ok(len)
                }
                None => {
                    self.written.extend_from_slice(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn whatever_the_socket_takes_the_bytes_come_out_in_order(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40_000), 0..12),
            takes in prop::collection::vec(prop_oneof![Just(0usize), 1..50_000usize], 0..12),
        ) {
            let mut outbox = Outbox::default();
            frames.iter().for_each(|frame| outbox.push(Bytes::copy_from_slice(frame)));
            let mut socket = Socket { takes, written: Vec::new() };
            let mut scratch = Vec::new();
            while outbox.flush(&mut socket, &mut scratch).unwrap() == Flushed::Blocked {}
            prop_assert_eq!(socket.written, frames.concat());
            prop_assert_eq!(outbox.bytes(), 0);
        }
    }

    #[test]
    fn clearing_keeps_the_frame_that_is_on_its_way() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"first"));
        outbox.push(Bytes::from_static(b"second"));
        let mut socket = Socket { takes: vec![0, 2], written: Vec::new() };
        let mut scratch = Vec::new();
        assert_eq!(outbox.flush(&mut socket, &mut scratch).unwrap(), Flushed::Blocked);
        outbox.clear();
        outbox.flush(&mut socket, &mut scratch).unwrap();
        assert_eq!(socket.written, b"first");
    }

    #[test]
    fn clearing_keeps_the_head_and_nothing_is_not_queued() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::new());
        assert!(outbox.is_empty());
        outbox.push_head(Bytes::from_static(b"head"));
        outbox.push(Bytes::from_static(b"first"));
        outbox.clear();
        assert_eq!(outbox.take_each(), [Bytes::from_static(b"head")]);
    }

    #[test]
    fn what_is_wanted_is_taken_and_the_rest_stays() {
        let mut outbox = Outbox::default();
        for piece in ["first", "second", "third"] {
            outbox.push(Bytes::from(piece));
        }
        assert_eq!(outbox.take_wanted(|_| 0), [""; 0]);
        let mut left = 8;
        let taken = outbox.take_wanted(|piece| {
            let part = piece.len().min(left);
            left -= part;
            part
        });
        assert_eq!(taken, ["first", "sec"]);
        assert_eq!(outbox.bytes(), "ondthird".len());
        assert_eq!(outbox.take_wanted(|_| usize::MAX), ["ond", "third"]);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn what_is_asked_for_again_and_again_has_a_limit_of_its_own() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_room_for_asked(500, 100));
        outbox.push_asked(Bytes::from(vec![0; 60]));
        assert!(outbox.has_room_for_asked(40, 100));
        assert!(!outbox.has_room_for_asked(41, 100));
    }

    #[test]
    fn what_was_asked_for_does_not_count_against_the_limit() {
        let mut outbox = Outbox::default();
        outbox.push_asked(Bytes::from(vec![0; 100]));
        assert!(outbox.has_room(50, 50));
        assert!(!outbox.has_room(51, 50));
        outbox.advance(60);
        assert!(!outbox.has_room(51, 50));
        outbox.advance(40);
        assert!(outbox.has_room(1000, 50));
    }
}
