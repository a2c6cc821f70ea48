//! Regular polling, and history: several channels read one after the other, put in one order.

use std::sync::Arc;

use antiphon_hub::Since;
use antiphon_model::{ChannelFlags, ChannelId, Kind, Position, Publication};
use antiphon_net::{Close, StreamOptions, Want};
use antiphon_node::{Begins, History, ReadError, Window};
use bytes::Bytes;

use super::Request;
use super::page::Page;
use crate::formats;
use crate::wire::listen::Listen;
use crate::wire::ndjson;

/// How often a poll with an event filter reads on because nothing it read passed the filter.
const ROUNDS_MAX: usize = 10;

/// Reads what came after `since`, or the newest.
///
/// # Errors
/// The caller may not, or the store does not answer.
pub(crate) async fn poll(request: &Request, listen: &Listen) -> Result<Page, ReadError> {
    let mut channels = Vec::with_capacity(listen.channels.len());
    for channel in &listen.channels {
        channels.push(Arc::clone(channel));
        if listen.presence {
            channels.push(Arc::new(channel.presence()));
        }
    }
    if listen.presence {
        keep_presence(request, listen);
    }
    let Some(mut since) = listen.since else { return newest(request, listen, &channels).await };
    let mut gap = false;
    for _ in 1..ROUNDS_MAX {
        let part = after(request, listen, &channels, since).await?;
        gap |= part.merged.gap;
        if !part.merged.kept.is_empty() || !part.more {
            return Ok(part.merged.page(gap));
        }
        since = part.merged.bound;
    }
    let part = after(request, listen, &channels, since).await?;
    gap |= part.merged.gap;
    Ok(part.merged.page(gap))
}

/// Listens for a moment to the presence events: they are kept only where somebody listens, or has a short while ago, and
/// whoever polls for them is to find what came between two of his polls.
fn keep_presence(request: &Request, listen: &Listen) {
    let options = StreamOptions {
        protocol: "poll",
        // What it listens to is read as well, and the poll itself begins nothing.
        begins: Begins::Again,
        heartbeat: None,
        farewell: |_: &Close| Bytes::new(),
    };
    let want = |channel: &Arc<ChannelId>| Want {
        channel: Arc::new(channel.presence()),
        since: Since::Now,
        format: &formats::NDJSON,
        filter: None,
        presence: false,
        label: None,
    };
    let wants: Vec<Want> = listen.channels.iter().map(want).collect();
    // Without it the poll is answered all the same, or refused for a reason that reading will find.
    if let Ok(stream) = request.open_stream(options) {
        let _ = stream.try_listen(&wants);
        stream.depart();
    }
}

/// What came after a position, and whether there is more.
struct Part {
    merged: Merged,
    more: bool,
}

async fn after(
    request: &Request,
    listen: &Listen,
    channels: &[Arc<ChannelId>],
    since: Position,
) -> Result<Part, ReadError> {
    let limit = read_limit(request, listen);
    let mut part = Part { merged: Merged::new(request, listen), more: false };
    for channel in channels {
        let history = request.node().history(&request.caller, channel, Window::After(since), limit).await?;
        part.more |= history.more;
        part.merged.add_after(channel, history, listen);
    }
    Ok(part)
}

async fn newest(request: &Request, listen: &Listen, channels: &[Arc<ChannelId>]) -> Result<Page, ReadError> {
    let limit = read_limit(request, listen);
    let mut merged = Merged::new(request, listen);
    for channel in channels {
        let history = request.node().history(&request.caller, channel, Window::Newest, limit).await?;
        merged.add_newest(history, listen);
    }
    Ok(merged.page(false))
}

/// With a filter more has to be read than is wanted.
fn read_limit(request: &Request, listen: &Listen) -> usize {
    if listen.events.is_empty() { listen.limit } else { request.settings.history_limit_max }
}

/// Whether a listener wants a publication: event names do not concern presence, which is asked for on its own.
pub(crate) fn wants(events: &[Box<str>], publication: &Publication) -> bool {
    let name = publication.name_or_default();
    events.is_empty() || publication.kind == Kind::Presence || events.iter().any(|event| **event == *name)
}

/// Publications of several channels in the order of positions, complete up to `bound`.
struct Merged {
    kept: Vec<Arc<Publication>>,
    /// Whoever goes on from here misses nothing and gets nothing twice.
    bound: Position,
    gap: bool,
    count_max: usize,
    bytes_max: usize,
}

impl Merged {
    fn new(request: &Request, listen: &Listen) -> Merged {
        let bytes_max = request.settings.poll_bytes_max;
        Merged { kept: Vec::new(), bound: Position(u64::MAX), gap: false, count_max: listen.limit, bytes_max }
    }

    /// Adds what one channel has after the position asked for: the oldest are kept.
    fn add_after(&mut self, channel: &ChannelId, history: History, listen: &Listen) {
        // Presence is a state more than a history: who has missed some of it asks who is here.
        self.gap |= history.gap && !channel.flags().contains(ChannelFlags::PRESENCE);
        self.add(history, listen);
        let mut bytes = 0;
        let fits = self.kept.iter().take(self.count_max).take_while(|publication| {
            bytes += publication.memory_bytes();
            bytes <= self.bytes_max
        });
        // One is always let through, or there would be no getting past it.
        let fitting = fits.count().max(1);
        if fitting < self.kept.len() {
            self.kept.truncate(fitting);
            self.bound = self.kept.last().map_or(self.bound, |last| last.position);
        }
    }

    /// Adds the newest of one channel: the newest are kept.
    fn add_newest(&mut self, history: History, listen: &Listen) {
        self.add(history, listen);
        let mut bytes = 0;
        let fits = self.kept.iter().rev().take(self.count_max).take_while(|publication| {
            bytes += publication.memory_bytes();
            bytes <= self.bytes_max
        });
        let fitting = fits.count().max(1);
        self.kept.drain(..self.kept.len().saturating_sub(fitting));
    }

    /// Each channel was read at a moment of its own, so what lies beyond the earliest of them is left for the next time.
    fn add(&mut self, history: History, listen: &Listen) {
        self.bound = self.bound.min(history.position);
        self.kept.extend(history.publications.into_iter().filter(|one| wants(&listen.events, one)));
        let bound = self.bound;
        self.kept.retain(|publication| publication.position <= bound);
        self.kept.sort_by_key(|publication| publication.position);
    }

    fn page(self, gap: bool) -> Page {
        let mut lines = Vec::new();
        for publication in &self.kept {
            ndjson::write_message(publication, &mut lines);
        }
        Page { lines, count: self.kept.len(), position: self.bound, gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::publication;
    use antiphon_model::{ChannelFlags, Payload};
    use proptest::prelude::*;

    fn merged(count_max: usize, bytes_max: usize) -> Merged {
        Merged { kept: Vec::new(), bound: Position(u64::MAX), gap: false, count_max, bytes_max }
    }

    fn room() -> ChannelId {
        ChannelId::new("room", ChannelFlags::NONE).unwrap()
    }

    fn listen() -> Listen {
        let channels = crate::wire::listen::Channels::One("room");
        Listen::parse(&Default::default(), channels, None, &Default::default(), 1000).unwrap()
    }

    fn history(positions: &[u64], position: u64, more: bool) -> History {
        let one = |at: &u64| Arc::new(publication(*at, "room", Payload::Text("x".into())));
        let publications = positions.iter().map(one).collect();
        History { publications, position: Position(position), gap: false, more }
    }

    fn positions(merged: &Merged) -> Vec<u64> {
        merged.kept.iter().map(|one| one.position.0).collect()
    }

    #[test]
    fn what_lies_beyond_the_earliest_reading_is_left() {
        let mut merged = merged(10, usize::MAX);
        merged.add_after(&room(), history(&[1, 4], 10, false), &listen());
        merged.add_after(&room(), history(&[2, 12], 12, false), &listen());
        merged.add_after(&room(), history(&[3, 5], 5, true), &listen());
        assert_eq!((positions(&merged), merged.bound), (vec![1, 2, 3, 4, 5], Position(5)));
    }

    #[test]
    fn the_oldest_or_the_newest_are_kept() {
        let mut oldest = merged(2, usize::MAX);
        oldest.add_after(&room(), history(&[1, 4], 10, false), &listen());
        oldest.add_after(&room(), history(&[2, 3], 10, false), &listen());
        assert_eq!((positions(&oldest), oldest.bound), (vec![1, 2], Position(2)));
        let mut newest = merged(2, usize::MAX);
        newest.add_newest(history(&[1, 4], 10, false), &listen());
        newest.add_newest(history(&[2, 3], 10, false), &listen());
        assert_eq!((positions(&newest), newest.bound), (vec![3, 4], Position(10)));
    }

    #[test]
    fn bytes_are_bounded_but_one_always_fits() {
        let mut oldest = merged(10, 1);
        oldest.add_after(&room(), history(&[1, 2], 10, false), &listen());
        assert_eq!((positions(&oldest), oldest.bound), (vec![1], Position(1)));
        let mut newest = merged(10, 1);
        newest.add_newest(history(&[1, 2], 10, false), &listen());
        assert_eq!((positions(&newest), newest.bound), (vec![2], Position(10)));
    }

    #[test]
    fn event_names_do_not_concern_presence() {
        let mut one = publication(1, "room", Payload::Text("".into()));
        assert!(wants(&[], &one) && wants(&["message".into()], &one) && !wants(&["other".into()], &one));
        one.kind = Kind::Presence;
        assert!(wants(&["other".into()], &one));
    }

    proptest! {
        /// Whoever polls on gets every publication once and in order, however the channels are cut.
        #[test]
        fn polling_on_is_complete(
            channels in proptest::collection::vec(proptest::collection::btree_set(1..60u64, 0..20), 1..4),
            count_max in 1..8usize,
            read_max in 1..8usize,
        ) {
            let mut taken = std::collections::BTreeSet::new();
            let channels: Vec<Vec<u64>> = channels
                .into_iter()
                .map(|channel| channel.into_iter().filter(|at| taken.insert(*at)).collect())
                .collect();
            let (mut since, mut got) = (0, Vec::new());
            for _ in 0..200 {
                let mut merged = merged(count_max, usize::MAX);
                for channel in &channels {
                    let all: Vec<u64> = channel.iter().copied().filter(|at| *at > since).collect();
                    let page = &all[..all.len().min(read_max)];
                    let more = page.len() < all.len();
                    let position = if more { page[page.len() - 1] } else { 60 };
                    merged.add_after(&room(), history(page, position, more), &listen());
                }
                got.extend(positions(&merged));
                prop_assert!(merged.bound.0 >= since);
                since = merged.bound.0;
            }
            prop_assert_eq!(got, taken.into_iter().collect::<Vec<_>>());
        }
    }
}
