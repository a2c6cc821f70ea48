use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::{Identity, OrgId};

use super::{CredentialInfo, CredentialSource};
use crate::caller::Revocation;
use crate::credentials::proof::Proof;
use crate::{Credential, CredentialKind, Grant};

/// Credentials by kind and name: a login by signed token names no org.
#[derive(Default)]
pub(crate) struct Directory {
    by_name: [HashMap<Arc<str>, Vec<Arc<Entry>>>; CredentialKind::ALL.len()],
    counts: HashMap<OrgId, usize>,
}

/// A credential in effect.
pub(crate) struct Entry {
    pub(crate) org: OrgId,
    pub(crate) kind: CredentialKind,
    pub(crate) identity: Arc<Identity>,
    pub(crate) proof: Proof,
    pub(crate) grants: Arc<[Grant]>,
    /// Ends the callers that came by this credential.
    pub(crate) revocation: Revocation,
    info: Box<CredentialInfo>,
}

impl Entry {
    pub(crate) fn new(org: OrgId, credential: Credential, source: CredentialSource) -> Entry {
        let Credential { kind, name, proof, allow, channels } = credential;
        let grant = Grant { channels: channels.clone(), permissions: allow.iter().copied().collect() };
        Entry {
            org,
            kind,
            identity: Arc::new(Identity::new(kind.identity_kind(), &name)),
            proof,
            grants: Arc::new([grant]),
            revocation: Revocation::default(),
            info: Box::new(CredentialInfo { kind, name, source, allow, channels }),
        }
    }

    pub(crate) fn info(&self) -> CredentialInfo {
        CredentialInfo::clone(&self.info)
    }

    pub(crate) fn source(&self) -> CredentialSource {
        self.info.source
    }

    /// Whether a signed login could be of either.
    pub(crate) fn has_secret_of(&self, proof: &Proof) -> bool {
        matches!((&self.proof, proof), (Proof::Secret(ours), Proof::Secret(theirs)) if ours == theirs)
    }
}

impl Directory {
    /// The credentials of this kind and name, of any org.
    pub(crate) fn named(&self, kind: CredentialKind, name: &str) -> &[Arc<Entry>] {
        self.by_name[kind as usize].get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn find(&self, org: &OrgId, kind: CredentialKind, name: &str) -> Option<&Arc<Entry>> {
        self.named(kind, name).iter().find(|entry| entry.org == *org)
    }

    /// Adds a credential, and gives back the one that it replaces.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let named = self.by_name[entry.kind as usize].entry(Arc::clone(&entry.identity.id)).or_default();
        match named.iter_mut().find(|other| other.org == entry.org) {
            Some(other) => Some(std::mem::replace(other, entry)),
            None => {
                *self.counts.entry(entry.org.clone()).or_default() += 1;
                named.push(entry);
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, org: &OrgId, kind: CredentialKind, name: &str) -> Option<Arc<Entry>> {
        let of_kind = &mut self.by_name[kind as usize];
        let named = of_kind.get_mut(name)?;
        let entry = named.swap_remove(named.iter().position(|entry| entry.org == *org)?);
        if named.is_empty() {
            of_kind.remove(name);
        }
        if let Some(count) = self.counts.get_mut(org) {
            *count -= 1;
        }
        Some(entry)
    }

    /// How many credentials an org has here.
    pub(crate) fn count(&self, org: &OrgId) -> usize {
        self.counts.get(org).copied().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_name.iter().flat_map(HashMap::values).flatten()
    }

    /// Keeps the entries of `before` whose proof is the same, with the callers that came by them. Gives those
    /// that are gone or have another proof.
    pub(crate) fn take_over(&mut self, before: &Directory) -> Vec<Arc<Entry>> {
        let mut ended = Vec::new();
        for old in before.iter() {
            match self.find(&old.org, old.kind, &old.identity.id) {
                Some(new) if new.proof == old.proof => drop(self.insert(Arc::clone(old))),
                _ => ended.push(Arc::clone(old)),
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn entry(org: &str, name: &str, secret: &str) -> Arc<Entry> {
        let secret = Secret::new(secret);
        let credential = Credential::new(CredentialKind::Device, name, &secret, None, None).unwrap();
        Arc::new(Entry::new(OrgId::new(org), credential, CredentialSource::Store))
    }

    fn find<'a>(directory: &'a Directory, org: &str, name: &str) -> Option<&'a Arc<Entry>> {
        directory.find(&OrgId::new(org), CredentialKind::Device, name)
    }

    #[test]
    fn credentials_are_found_by_name_and_counted_by_org() {
        let mut directory = Directory::default();
        for (org, name) in [("acme", "a"), ("acme", "b"), ("umbrella", "a")] {
            assert!(directory.insert(entry(org, name, "a-secret-1")).is_none());
        }
        assert_eq!(directory.named(CredentialKind::Device, "a").len(), 2);
        assert!(directory.named(CredentialKind::ConsumerApp, "a").is_empty());
        assert!(directory.insert(entry("acme", "a", "a-secret-2")).is_some());
        let (acme, kind) = (OrgId::new("acme"), CredentialKind::Device);
        assert_eq!(directory.count(&acme), 2);
        assert!(directory.remove(&acme, kind, "a").is_some());
        assert!(directory.remove(&acme, kind, "a").is_none());
        assert!(find(&directory, "acme", "a").is_none() && find(&directory, "umbrella", "a").is_some());
        assert_eq!((directory.count(&acme), directory.iter().count()), (1, 2));
        assert!(directory.remove(&OrgId::new("umbrella"), kind, "a").is_some());
        assert!(!directory.by_name[kind as usize].contains_key("a"));
    }

    #[test]
    fn what_is_the_same_stays_and_what_is_not_ends() {
        let directory = |entries: &[(&str, &str)]| {
            let mut directory = Directory::default();
            entries.iter().for_each(|(name, secret)| drop(directory.insert(entry("acme", name, secret))));
            directory
        };
        let before = directory(&[("same", "a-secret-1"), ("other", "a-secret-1"), ("gone", "a-secret-1")]);
        let mut after = directory(&[("same", "a-secret-1"), ("other", "a-secret-2"), ("new", "a-secret-1")]);
        let mut ended: Vec<_> =
            after.take_over(&before).iter().map(|entry| entry.identity.id.to_string()).collect();
        ended.sort();
        assert_eq!(ended, ["gone", "other"]);
        let is_kept = |name| match (find(&before, "acme", name), find(&after, "acme", name)) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            _ => false,
        };
        assert!(is_kept("same") && !is_kept("other"));
        assert_eq!(after.count(&OrgId::new("acme")), 3);
    }
}
