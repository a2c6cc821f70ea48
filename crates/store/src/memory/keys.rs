use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use antiphon_model::{Identity, Position, Timestamp};

use crate::Entry;
use crate::store::ChannelKey;

/// The idempotency keys seen of late, in order of their coming.
#[derive(Default)]
pub(super) struct Keys {
    seen: HashMap<Arc<Scope>, Seen>,
    order: VecDeque<(Arc<Scope>, Seen)>,
}

#[derive(PartialEq, Eq, Hash)]
pub(super) struct Scope {
    channel: ChannelKey,
    publisher: Option<Arc<Identity>>,
    key: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    position: Position,
    expires: Timestamp,
}

impl Scope {
    pub(super) fn of(entry: &Entry, channel: &ChannelKey) -> Option<Scope> {
        let key = entry.idempotency_key.clone()?;
        Some(Scope { channel: channel.clone(), publisher: entry.publication.publisher.clone(), key })
    }
}

impl Keys {
    pub(super) fn seen(&self, scope: &Scope, now: Timestamp) -> Option<Position> {
        self.seen.get(scope).filter(|seen| seen.expires > now).map(|seen| seen.position)
    }

    /// Remembers a key; the oldest one gives way if there would be more than `max`.
    pub(super) fn remember(&mut self, scope: Scope, position: Position, expires: Timestamp, max: usize) {
        let scope = Arc::new(scope);
        let seen = Seen { position, expires };
        self.seen.insert(scope.clone(), seen);
        self.order.push_back((scope, seen));
        if self.order.len() > max {
            self.drop_oldest();
        }
    }

    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(_, seen)| seen.expires <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((scope, seen)) = self.order.pop_front()
            // The key may have come again since, after it had expired.
            && self.seen.get(&scope) == Some(&seen)
        {
            self.seen.remove(&scope);
        }
    }
}
