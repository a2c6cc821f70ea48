//! Broadcasts and the replies to them.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{Collect, Reply, ReplyError, ReplyEvent};
use antiphon_model::Payload;
use proptest::sample::Index;

use super::{BROADCASTS_MAX, Log, REPLIES_MAX, World, text};
use crate::operation::Right;
use crate::reference::{Broadcast, Chan, Except, Told};

impl World {
    pub(super) fn broadcast(&mut self, chan: usize, hold: Option<u64>, timeout: u64, until: Option<usize>) {
        let (hold, held_until) = self.hold(hold);
        let (draft, what, odd) = self.draft(self.reference.entries.len(), chan, &Except::default());
        let (log, timeout) = (Log::default(), Duration::from_millis(timeout));
        let collect = Collect { timeout, until, sink: sink(Arc::clone(&log)) };
        let result = self.org.broadcast(draft, hold, collect, self.now);
        if self.reference.broadcasts.iter().filter(|broadcast| broadcast.is_open()).count() >= BROADCASTS_MAX
        {
            assert_eq!(result.map(|_| ()), Err(antiphon_hub::BroadcastError::TooManyBroadcasts));
            return;
        }
        let published = result.unwrap();
        let position =
            self.reference.publish(Chan::Plain(chan), what, odd, Except::default(), held_until, self.now);
        assert_eq!(published.position, position);
        self.published(published, held_until);
        let told = if until == Some(0) { vec![Told::End { complete: true }] } else { Vec::new() };
        let deadline = self.now.monotonic + timeout;
        self.reference.broadcasts.push(Broadcast { position, chan, deadline, until, told });
        self.logs.push(log);
    }

    pub(super) fn reply(&mut self, to: Index, right: Right) {
        if self.reference.broadcasts.is_empty() {
            return;
        }
        let broadcast = &mut self.reference.broadcasts[to.index(self.logs.len())];
        let text = format!("reply {}", broadcast.told.len());
        let reply = Reply { payload: Payload::Text(text.clone().into()), publisher: None };
        let chan = match right {
            Right::Channel => broadcast.chan,
            Right::WrongChannel => (broadcast.chan + 1) % self.ids.len(),
        };
        let result = self.org.reply(broadcast.position, &self.ids[chan], reply);
        if !broadcast.is_open() || chan != broadcast.chan {
            assert_eq!(result, Err(ReplyError::NobodyCollects));
        } else if broadcast.told.len() >= REPLIES_MAX {
            assert_eq!(result, Err(ReplyError::TooMany));
        } else {
            assert_eq!(result, Ok(()));
            broadcast.told.push(Told::Reply(text));
            if broadcast.until == Some(broadcast.told.len()) {
                broadcast.told.push(Told::End { complete: true });
            }
        }
    }

    pub(super) fn expect_replies(&mut self, to: Index, until: usize) {
        if self.reference.broadcasts.is_empty() {
            return;
        }
        let broadcast = &mut self.reference.broadcasts[to.index(self.logs.len())];
        self.org.expect_replies(broadcast.position, until);
        if broadcast.is_open() {
            broadcast.until = Some(until);
            if broadcast.told.len() >= until {
                broadcast.told.push(Told::End { complete: true });
            }
        }
    }

    pub(super) fn end_replies(&mut self, to: Index) {
        if self.reference.broadcasts.is_empty() {
            return;
        }
        let broadcast = &mut self.reference.broadcasts[to.index(self.logs.len())];
        self.org.end_replies(broadcast.position);
        if broadcast.is_open() {
            broadcast.told.push(Told::End { complete: false });
        }
    }
}

fn sink(log: Log) -> antiphon_hub::ReplySink {
    Box::new(move |event| {
        log.lock().unwrap().push(match event {
            ReplyEvent::Reply(reply) => Told::Reply(text(&reply.payload)),
            ReplyEvent::End { complete } => Told::End { complete },
        });
    })
}
