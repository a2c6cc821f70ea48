use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use antiphon_model::{Position, Publication, Timestamp};

use super::actions::{Actions, StoredAction};
use crate::store::End;
use crate::{Page, Query, StoreSettings};

/// The publications of one channel, and the actions on them.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) publications: BTreeMap<Position, Stored>,
    pub(super) actions: Actions,
    pub(super) trimmed_to: Position,
}

pub(super) struct Stored {
    pub(super) publication: Arc<Publication>,
    pub(super) expires: Option<Timestamp>,
    /// Its place in the order of arrival in the store.
    pub(super) arrival: u64,
}

impl Stored {
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Channel {
    pub(super) fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.actions.is_empty()
    }

    /// Takes publications out; of what is then missing before the oldest, `trimmed_to` tells, and the actions up to there go too.
    pub(super) fn remove(&mut self, positions: &[Position]) -> (Vec<Stored>, Vec<StoredAction>) {
        let removed = positions.iter().filter_map(|position| self.publications.remove(position)).collect();
        let oldest = self.publications.first_key_value().map(|(position, _)| *position);
        let before_oldest =
            positions.iter().filter(|position| oldest.is_none_or(|oldest| **position < oldest));
        let Some(last) = before_oldest.copied().max() else {
            return (removed, Vec::new());
        };
        self.trimmed_to = last.max(self.trimmed_to);
        (removed, self.actions.take_on(Position::ZERO..=last))
    }

    pub(super) fn page(&self, query: &Query, settings: &StoreSettings) -> Page {
        let mut page =
            Page { trimmed_to: self.trimmed_to.max(self.expired_to(query.now)), ..Page::default() };
        let (first, last) = query.range.bounds();
        if first > last {
            return page;
        }
        let range = self.publications.range(RangeInclusive::new(Position(first), Position(last)));
        let shown = range.map(|(_, stored)| stored).filter(|stored| !stored.has_expired(query.now));
        match query.range.end() {
            End::Oldest => fill(&mut page, shown, query.limit, settings),
            End::Newest => {
                fill(&mut page, shown.rev(), query.limit, settings);
                page.publications.reverse();
            }
        }
        page
    }

    fn expired_to(&self, now: Timestamp) -> Position {
        let expired = self.publications.iter().take_while(|(_, stored)| stored.has_expired(now));
        expired.last().map(|(position, _)| *position).unwrap_or_default()
    }
}

fn fill<'a>(
    page: &mut Page,
    shown: impl Iterator<Item = &'a Stored>,
    limit: usize,
    settings: &StoreSettings,
) {
    let limit = limit.min(settings.page_entries_max.max(1));
    let mut bytes = 0;
    for stored in shown {
        bytes += stored.publication.memory_bytes();
        let full = bytes > settings.page_bytes_max && !page.publications.is_empty();
        if full || page.publications.len() == limit {
            page.more = true;
            break;
        }
        page.publications.push(stored.publication.clone());
    }
}
