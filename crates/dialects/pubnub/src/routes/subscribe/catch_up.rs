//! What a client missed: several channels read one after the other, put in one order.

use std::sync::Arc;

use antiphon_hub::Filter;
use antiphon_model::{ChannelFlags, Position, Publication};
use antiphon_node::{History, Window};

use super::page::Page;
use super::wanted::Wanted;
use crate::PubNubSettings;
use crate::formats;
use crate::request::Request;
use crate::wire::error::Refusal;

/// How often reading goes on because nothing that was read is wanted. Then the client is told how far it was, and comes back.
const ROUNDS_MAX: usize = 20;

/// Reads what came after a position, the oldest first, as much as an answer has room for.
///
/// # Errors
/// The caller may not, or the store does not answer.
pub(super) async fn read(
    request: &Request,
    wanted: &Wanted,
    filter: Option<&Filter>,
    mut since: Position,
) -> Result<Page, Refusal> {
    let settings = request.settings();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut merged = Merged::default();
        for (index, one) in wanted.subscriptions.iter().enumerate() {
            let window = Window::After(since);
            let limit = settings.messages_per_answer_max;
            let history = request.node().history(&request.caller, &one.channel, window, limit).await?;
            merged.add(index, history, settings);
        }
        if wanted.subscriptions.is_empty() {
            return Ok(Page::empty(since));
        }
        let (position, more) = (merged.bound, merged.more);
        let mut envelopes = Vec::new();
        let mut count = 0;
        for Missed { publication, index } in merged.in_order(wanted) {
            let wants = filter.is_none_or(|filter| filter(&publication));
            if wants && !wanted.is_left_out_by(&publication) {
                formats::write(&publication, &wanted.subscriptions[index].label, &mut envelopes);
                count += 1;
            }
        }
        if count > 0 || !more || rounds >= ROUNDS_MAX {
            return Ok(Page::read(envelopes, count, position, more));
        }
        since = position;
    }
}

/// A publication, and which of the subscriptions it came by.
struct Missed {
    publication: Arc<Publication>,
    index: usize,
}

/// Publications of several channels, complete up to `bound`.
struct Merged {
    missed: Vec<Missed>,
    bound: Position,
    more: bool,
}

impl Default for Merged {
    fn default() -> Merged {
        Merged { missed: Vec::new(), bound: Position(u64::MAX), more: false }
    }
}

impl Merged {
    /// Adds what one channel has: each was read at a moment of its own, so what lies beyond the earliest of them is left for the next
    /// time.
    fn add(&mut self, index: usize, history: History, settings: &PubNubSettings) {
        self.more |= history.more;
        self.bound = self.bound.min(history.position);
        self.missed.extend(history.publications.into_iter().map(|publication| Missed { publication, index }));
        let bound = self.bound;
        let before = self.missed.len();
        self.missed.retain(|one| one.publication.position <= bound);
        self.more |= self.missed.len() < before;
        let mut bytes = 0;
        self.missed.sort_by_key(|one| one.publication.position);
        let fits = self.missed.iter().take(settings.messages_per_answer_max).take_while(|one| {
            bytes += one.publication.memory_bytes();
            bytes <= settings.answer_bytes_max
        });
        // One is always let through, or there would be no getting past it.
        let fitting = fits.count().max(1);
        if fitting < self.missed.len() {
            self.missed.truncate(fitting);
            self.bound = self.missed.last().map_or(bound, |last| last.publication.position);
            self.more = true;
        }
    }

    /// In the order of positions, each once. What came by several subscriptions came by the most specific.
    fn in_order(mut self, wanted: &Wanted) -> impl Iterator<Item = Missed> {
        let rank = |index: usize| {
            let channel = &wanted.subscriptions[index].channel;
            let is_wildcard = channel.flags().contains(ChannelFlags::WILDCARD);
            (is_wildcard, std::cmp::Reverse(channel.name().len()))
        };
        self.missed.sort_by_key(|one| (one.publication.position, rank(one.index)));
        self.missed.dedup_by_key(|one| one.publication.position);
        self.missed.into_iter()
    }
}
