use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use antiphon_model::{Position, Timestamp};

use super::State;
use super::channel::Channel;
use crate::store::ChannelKey;
use crate::{Action, ActionPage, ActionQuery, ActionRange, Added, Removed, StoreError, StoreSettings};

/// Where an action stands: on which message, and itself.
pub(super) type Place = (Position, Position);

/// The actions on the messages of one channel.
#[derive(Default)]
pub(super) struct Actions {
    by_message: BTreeMap<Place, StoredAction>,
    /// Turned around: by their own position.
    by_position: BTreeSet<Place>,
}

pub(super) struct StoredAction {
    action: Action,
    pub(super) expires: Option<Timestamp>,
}

impl StoredAction {
    pub(super) fn place(&self) -> Place {
        (self.action.message, self.action.position)
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Actions {
    pub(super) fn is_empty(&self) -> bool {
        self.by_message.is_empty()
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<StoredAction> {
        self.by_position.remove(&(place.1, place.0));
        self.by_message.remove(&place)
    }

    /// Takes out those on the messages in a range.
    pub(super) fn take_on(&mut self, messages: RangeInclusive<Position>) -> Vec<StoredAction> {
        let places: Vec<Place> = self.on(messages).map(StoredAction::place).collect();
        places.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    fn insert(&mut self, stored: StoredAction) {
        let (message, position) = stored.place();
        self.by_position.insert((position, message));
        self.by_message.insert((message, position), stored);
    }

    fn on(&self, messages: RangeInclusive<Position>) -> impl Iterator<Item = &StoredAction> {
        let bounds = (*messages.start(), Position::ZERO)..=(*messages.end(), Position(u64::MAX));
        // A range that ends before it begins would panic.
        let range = (messages.start() <= messages.end()).then(|| self.by_message.range(bounds));
        range.into_iter().flatten().map(|(_, stored)| stored)
    }

    fn page(&self, query: &ActionQuery, now: Timestamp, settings: &StoreSettings) -> ActionPage {
        match query.by {
            ActionRange::ByMessages { after, until } => {
                if after >= until {
                    return ActionPage::default();
                }
                let shown = self.on(after.next()..=until).filter(|stored| !stored.has_expired(now));
                fill(shown, query.limit, settings)
            }
            ActionRange::ByActions { start, end } => {
                if start <= end {
                    return ActionPage::default();
                }
                let places = self.by_position.range((end, Position::ZERO)..(start, Position::ZERO)).rev();
                let found =
                    places.filter_map(|(position, message)| self.by_message.get(&(*message, *position)));
                let mut page = fill(found.filter(|stored| !stored.has_expired(now)), query.limit, settings);
                page.actions.reverse();
                page
            }
        }
    }
}

fn fill<'a>(
    shown: impl Iterator<Item = &'a StoredAction>,
    limit: usize,
    settings: &StoreSettings,
) -> ActionPage {
    let limit = limit.min(settings.page_entries_max.max(1));
    let mut page = ActionPage::default();
    let mut bytes = 0;
    for stored in shown {
        bytes += stored.action.bytes();
        let full = bytes > settings.page_bytes_max && !page.actions.is_empty();
        if full || page.actions.len() == limit {
            page.more = true;
            break;
        }
        page.actions.push(stored.action.clone());
    }
    page
}

impl State {
    pub(crate) fn actions(&self, channel: &ChannelKey, query: &ActionQuery, now: Timestamp) -> ActionPage {
        let channel = self.channels.get(channel);
        channel.map(|channel| channel.actions.page(query, now, &self.settings)).unwrap_or_default()
    }

    pub(crate) fn add_action(
        &mut self,
        key: &ChannelKey,
        action: &Action,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        let highest = i64::MAX as u64;
        if action.message.0 > highest || action.position.0 > highest {
            return Err(StoreError::Unstorable("its position is beyond 63 bits".into()));
        }
        self.remove_expired_on(key, action.message, now);
        let mut expires = Some(now.later_by(self.settings.keep_actions_without_message()));
        if let Some(channel) = self.channels.get(key) {
            let same = |stored: &StoredAction| {
                let other = &stored.action;
                other.kind == action.kind
                    && other.value == action.value
                    && other.publisher == action.publisher
            };
            let on_message = || channel.actions.on(action.message..=action.message);
            if on_message().any(same) {
                return Ok(Added::Exists);
            }
            if on_message().count() >= self.settings.actions_per_message_max {
                return Err(StoreError::LimitReached("actions_per_message_max"));
            }
            if on_message().any(|stored| stored.action.position == action.position) {
                return Err(StoreError::PositionTaken(action.position));
            }
            let message = channel.publications.get(&action.message);
            if let Some(message) = message.filter(|message| !message.has_expired(now)) {
                expires = message.expires;
            }
        }
        if self.actions_count >= self.settings.memory_entries_max {
            return Err(StoreError::LimitReached("memory_entries_max"));
        }
        self.insert_action(key, StoredAction { action: action.clone(), expires });
        Ok(Added::New)
    }

    pub(crate) fn remove_action(
        &mut self,
        key: &ChannelKey,
        place: Place,
        publisher: &str,
        now: Timestamp,
    ) -> Removed {
        let found = self.channels.get(key).and_then(|channel| channel.actions.by_message.get(&place));
        match found {
            Some(stored) if stored.has_expired(now) => Removed::NoSuch,
            Some(stored) if *stored.action.publisher != *publisher => Removed::OtherPublisher,
            Some(_) => {
                let removed = self.channels.get_mut(key).and_then(|channel| channel.actions.remove(place));
                self.actions_removed(key, removed);
                Removed::Yes
            }
            None => Removed::NoSuch,
        }
    }

    fn insert_action(&mut self, key: &ChannelKey, stored: StoredAction) {
        let forgotten_to = self.forgotten_to(&key.org);
        let new = || Channel { trimmed_to: forgotten_to, ..Channel::default() };
        let channel = self.channels.entry(key.clone()).or_insert_with(new);
        self.empty.remove(&(channel.trimmed_to, key.clone()));
        if let Some(expires) = stored.expires {
            self.action_expiries.insert((expires, key.clone(), stored.place()));
        }
        channel.actions.insert(stored);
        self.actions_count += 1;
    }

    fn remove_expired_on(&mut self, key: &ChannelKey, message: Position, now: Timestamp) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let expired: Vec<Place> = channel
            .actions
            .on(message..=message)
            .filter(|stored| stored.has_expired(now))
            .map(StoredAction::place)
            .collect();
        let removed: Vec<_> = expired.into_iter().filter_map(|place| channel.actions.remove(place)).collect();
        self.actions_removed(key, removed);
    }

    /// Keeps account of actions that were taken out of a channel.
    pub(super) fn actions_removed(
        &mut self,
        key: &ChannelKey,
        removed: impl IntoIterator<Item = StoredAction>,
    ) {
        for stored in removed {
            self.actions_count -= 1;
            if let Some(expires) = stored.expires {
                self.action_expiries.remove(&(expires, key.clone(), stored.place()));
            }
        }
        if let Some(channel) = self.channels.get(key)
            && channel.is_empty()
        {
            self.empty.insert((channel.trimmed_to, key.clone()));
        }
    }

    /// Removes up to `max` that have expired; how many it did.
    pub(super) fn remove_expired_actions(&mut self, now: Timestamp, max: usize) -> usize {
        for removed in 0..max {
            let Some((expires, ..)) = self.action_expiries.first() else { return removed };
            if *expires > now {
                return removed;
            }
            if let Some((_, key, place)) = self.action_expiries.pop_first() {
                let stored = self.channels.get_mut(&key).and_then(|channel| channel.actions.remove(place));
                self.actions_removed(&key, stored);
            }
        }
        max
    }
}
