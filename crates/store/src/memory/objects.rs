use std::collections::{BTreeMap, BTreeSet, HashMap};

use antiphon_model::{OrgId, Timestamp};

use super::State;
use super::listing;
use crate::objects::ObjectKey;
use crate::{
    ListQuery, Listed, Membership, MembershipChange, MembershipList, MembershipsChanged, Object, ObjectKind,
    ObjectList, Of, StoreError,
};

/// The objects and memberships of one org.
#[derive(Default)]
pub(super) struct Objects {
    by_kind: HashMap<ObjectKind, BTreeMap<Box<str>, Object>>,
    /// By user and channel.
    memberships: BTreeMap<Ids, Membership>,
    /// By channel and user.
    members: BTreeSet<Ids>,
}

type Ids = (Box<str>, Box<str>);

impl Objects {
    fn count(&self) -> usize {
        self.by_kind.values().map(BTreeMap::len).sum()
    }

    fn object(&self, kind: ObjectKind, id: &str) -> Option<&Object> {
        self.by_kind.get(&kind)?.get(id)
    }

    /// By how many memberships there will be more, and fewer.
    fn difference(&self, changes: &[MembershipChange]) -> (usize, usize) {
        let mut after = HashMap::new();
        for change in changes {
            after.insert(change.ids(), matches!(change, MembershipChange::Set { .. }));
        }
        let (mut more, mut fewer) = (0, 0);
        for ((user, channel), stays) in after {
            let is_there = self.memberships.contains_key(&(user.into(), channel.into()));
            more += usize::from(stays && !is_there);
            fewer += usize::from(!stays && is_there);
        }
        (more, fewer)
    }

    fn change(&mut self, change: &MembershipChange, now: Timestamp, changed: &mut MembershipsChanged) {
        let (user, channel) = change.ids();
        let ids: Ids = (user.into(), channel.into());
        let turned: Ids = (channel.into(), user.into());
        match change {
            MembershipChange::Set { patch, .. } => {
                let membership = Membership::patched(self.memberships.get(&ids), (user, channel), patch, now);
                changed.set.push(membership.clone());
                self.memberships.insert(ids, membership);
                self.members.insert(turned);
            }
            MembershipChange::Remove { .. } => {
                changed.removed.extend(self.memberships.remove(&ids));
                self.members.remove(&turned);
            }
        }
    }

    fn rows<'a>(&'a self, of: &Of) -> Vec<(&'a Membership, Option<&'a Object>)> {
        match of {
            Of::User(user) => {
                let from = (user.clone(), Box::default());
                let of_user = self.memberships.range(from..).take_while(|((one, _), _)| one == user);
                let with_channel = |membership: &'a Membership| {
                    (membership, self.object(ObjectKind::Channel, &membership.channel))
                };
                of_user.map(|(_, membership)| membership).map(with_channel).collect()
            }
            Of::Channel(channel) => {
                let from = (channel.clone(), Box::default());
                let of_channel = self.members.range(from..).take_while(|(one, _)| one == channel);
                let found = of_channel
                    .filter_map(|(channel, user)| self.memberships.get(&(user.clone(), channel.clone())));
                found
                    .map(|membership| (membership, self.object(ObjectKind::User, &membership.user)))
                    .collect()
            }
        }
    }
}

impl State {
    pub(crate) fn object(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(&key.org)?.object(key.kind, &key.id)
    }

    pub(crate) fn set_object<E>(
        &mut self,
        key: &ObjectKey,
        apply: impl FnOnce(Option<&Object>) -> Result<Object, E>,
    ) -> Result<Result<Object, E>, StoreError> {
        let old = self.object(key);
        let object = match apply(old) {
            Ok(object) => object,
            Err(error) => return Ok(Err(error)),
        };
        let is_new = old.is_none();
        let objects = self.objects.entry(key.org.clone()).or_default();
        if is_new && objects.count() >= self.settings.objects_max {
            return Err(StoreError::LimitReached("objects_max"));
        }
        objects.by_kind.entry(key.kind).or_default().insert(key.id.clone(), object.clone());
        Ok(Ok(object))
    }

    pub(crate) fn remove_object(&mut self, key: &ObjectKey) -> bool {
        let of_kind = self.objects.get_mut(&key.org).and_then(|objects| objects.by_kind.get_mut(&key.kind));
        of_kind.is_some_and(|objects| objects.remove(&key.id).is_some())
    }

    pub(crate) fn objects(
        &self,
        org: &OrgId,
        kind: ObjectKind,
        query: &ListQuery,
    ) -> Result<ObjectList, StoreError> {
        let objects = self.objects.get(org).and_then(|objects| objects.by_kind.get(&kind));
        let rows = objects.into_iter().flat_map(BTreeMap::values).collect();
        let list = listing::list(rows, Listed::Objects, query, &self.settings, |object: &&Object| {
            Object::clone(object)
        })?;
        Ok(ObjectList { objects: list.rows, total: list.total, more: list.more })
    }

    pub(crate) fn set_memberships(
        &mut self,
        org: &OrgId,
        changes: &[MembershipChange],
        now: Timestamp,
    ) -> Result<MembershipsChanged, StoreError> {
        let objects = self.objects.entry(org.clone()).or_default();
        let (more, fewer) = objects.difference(changes);
        if more > fewer && objects.memberships.len() + more - fewer > self.settings.memberships_max {
            return Err(StoreError::LimitReached("memberships_max"));
        }
        let mut changed = MembershipsChanged::default();
        for change in changes {
            objects.change(change, now, &mut changed);
        }
        Ok(changed)
    }

    pub(crate) fn memberships(
        &self,
        org: &OrgId,
        of: &Of,
        query: &ListQuery,
    ) -> Result<MembershipList, StoreError> {
        let rows = self.objects.get(org).map(|objects| objects.rows(of)).unwrap_or_default();
        let list = listing::list(rows, Listed::of(of), query, &self.settings, |(membership, related)| {
            Membership { related: related.cloned(), ..Membership::clone(membership) }
        })?;
        Ok(MembershipList { memberships: list.rows, total: list.total, more: list.more })
    }
}
