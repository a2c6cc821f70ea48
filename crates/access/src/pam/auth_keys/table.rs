use std::collections::HashMap;

use antiphon_model::Timestamp;

use super::super::{Bits, Kind, Resource};
use super::{Key, Scope};
use crate::digest::Digest;

/// What one grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bits: Bits,
    /// None: for ever.
    pub(super) until: Option<Timestamp>,
}

/// Grants, by what they are for.
#[derive(Default)]
pub(super) struct Table {
    everything: ByHolder,
    channels: Names,
    groups: Names,
    uuids: Names,
    count: usize,
}

#[derive(Default)]
struct Names {
    exact: HashMap<Box<str>, ByHolder>,
    /// By what stands before the `*`: nothing, or a prefix that ends in a dot.
    wildcards: HashMap<Box<str>, ByHolder>,
}

/// By auth key, or none for everybody.
#[derive(Default)]
struct ByHolder(HashMap<Option<Digest>, Entry>);

impl Table {
    pub(super) fn bits_of(&self, resource: Resource<'_>, auth: Option<Digest>, now: Timestamp) -> Bits {
        let (names, name) = match resource {
            Resource::Channel(name) => (&self.channels, name),
            Resource::Group(name) => (&self.groups, name),
            Resource::Uuid(name) => (&self.uuids, name),
        };
        let concerned = std::iter::once(&self.everything).chain(names.concerned(name));
        concerned.fold(Bits::NONE, |all, by_holder| all | by_holder.bits_of(auth, now))
    }

    /// Whether `more` grants fit. Those that are over at `now` make room.
    pub(super) fn has_room(&mut self, more: usize, max: usize, now: Timestamp) -> bool {
        if self.count.saturating_add(more) > max {
            self.forget_what_is_over(now);
        }
        self.count.saturating_add(more) <= max
    }

    /// Puts a grant in the place of one for the same, or takes that away.
    pub(super) fn set(&mut self, key: Key, entry: Option<Entry>) {
        let Key { scope, auth } = key;
        let replaced = match scope {
            Scope::Everything => self.everything.set(auth, entry),
            Scope::Named(Kind::Channel, name) => self.channels.set(&name, auth, entry),
            Scope::Named(Kind::Group, name) => self.groups.set(&name, auth, entry),
            Scope::Named(Kind::Uuid, name) => self.uuids.set(&name, auth, entry),
        };
        self.count += usize::from(entry.is_some());
        self.count -= usize::from(replaced.is_some());
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        self.everything.forget_what_is_over(now);
        let mut count = self.everything.0.len();
        for names in [&mut self.channels, &mut self.groups, &mut self.uuids] {
            for by_name in [&mut names.exact, &mut names.wildcards] {
                by_name.retain(|_, by_holder| {
                    by_holder.forget_what_is_over(now);
                    count += by_holder.0.len();
                    !by_holder.0.is_empty()
                });
            }
        }
        self.count = count;
    }
}

impl Names {
    fn concerned(&self, name: &str) -> impl Iterator<Item = &ByHolder> {
        let prefixes = name.match_indices('.').map(|(at, dot)| &name[..at + dot.len()]);
        let prefixes = std::iter::once("").chain(prefixes);
        let wildcards = (!self.wildcards.is_empty())
            .then(|| prefixes.filter_map(|prefix| self.wildcards.get(prefix)).collect::<Vec<_>>());
        self.exact.get(name).into_iter().chain(wildcards.unwrap_or_default())
    }

    fn set(&mut self, name: &str, auth: Option<Digest>, entry: Option<Entry>) -> Option<Entry> {
        let prefix = name.strip_suffix('*').filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let (by_name, name) = match prefix {
            Some(prefix) => (&mut self.wildcards, prefix),
            None => (&mut self.exact, name),
        };
        if entry.is_some() {
            return by_name.entry(name.into()).or_default().set(auth, entry);
        }
        let by_holder = by_name.get_mut(name)?;
        let removed = by_holder.set(auth, None);
        if by_holder.0.is_empty() {
            by_name.remove(name);
        }
        removed
    }
}

impl ByHolder {
    fn bits_of(&self, auth: Option<Digest>, now: Timestamp) -> Bits {
        let of = |holder: &Option<Digest>| self.0.get(holder).filter(|entry| !entry.is_over(now));
        let own = auth.as_ref().and_then(|_| of(&auth));
        own.into_iter().chain(of(&None)).fold(Bits::NONE, |all, entry| all | entry.bits)
    }

    fn set(&mut self, auth: Option<Digest>, entry: Option<Entry>) -> Option<Entry> {
        match entry {
            Some(entry) => self.0.insert(auth, entry),
            None => self.0.remove(&auth),
        }
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        self.0.retain(|_, entry| !entry.is_over(now));
    }
}

impl Entry {
    fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(granted: &str, name: &str) -> bool {
        match granted.strip_suffix('*').filter(|prefix| prefix.is_empty() || prefix.ends_with('.')) {
            Some(prefix) => name.starts_with(prefix),
            None => granted == name,
        }
    }

    fn any_entry() -> impl Strategy<Value = Option<Entry>> {
        let until = prop::option::of((0..4_u64).prop_map(Timestamp));
        let bits = (0..256_u64).prop_map(|bits| Bits::from_bits(bits).unwrap());
        prop::option::weighted(0.8, (bits, until).prop_map(|(bits, until)| Entry { bits, until }))
    }

    proptest! {
        #[test]
        fn it_permits_what_a_list_of_grants_would(
            grants in prop::collection::vec(
                ("|([ab]\\.){0,2}[ab*]", prop::option::of("[kl]"), any_entry()),
                0..30,
            ),
            name in "([ab]\\.){0,3}[ab*]",
            auth in prop::option::of("[klm]"),
            now in (0..5_u64).prop_map(Timestamp),
        ) {
            let digest = |auth: &Option<String>| auth.as_ref().map(|auth| Digest::of(auth.as_bytes()));
            let (mut table, mut list) = (Table::default(), Vec::<(String, Option<Digest>, Entry)>::new());
            for (granted, auth, entry) in grants {
                let scope = match granted.as_str() {
                    "" => Scope::Everything,
                    name => Scope::Named(Kind::Channel, name.into()),
                };
                let auth = digest(&auth);
                table.set(Key { scope, auth }, entry);
                list.retain(|(other, holder, _)| (other, holder) != (&granted, &auth));
                list.extend(entry.map(|entry| (granted, auth, entry)));
            }
            let auth = digest(&auth);
            let expected = list.iter()
                .filter(|(granted, holder, entry)| {
                    (granted.is_empty() || covers(granted, &name))
                        && (holder.is_none() || *holder == auth)
                        && entry.until.is_none_or(|until| now < until)
                })
                .fold(Bits::NONE, |all, (_, _, entry)| all | entry.bits);
            prop_assert_eq!(table.bits_of(Resource::Channel(&name), auth, now), expected);
            prop_assert_eq!(table.count, list.len());
            table.forget_what_is_over(now);
            list.retain(|(_, _, entry)| !entry.is_over(now));
            prop_assert_eq!(table.count, list.len());
            prop_assert_eq!(table.bits_of(Resource::Channel(&name), auth, now), expected);
        }
    }
}
