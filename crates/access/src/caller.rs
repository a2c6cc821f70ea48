use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use antiphon_model::{ChannelFlags, ChannelId, Identity, IdentityKind, OrgId, Timestamp};

use crate::limits::characters::Unfit;
use crate::{Act, ChannelCharacters, Grant, LimitSettings, Network, Permission, Permissions};

/// A client that has shown who it is: what the node asks before each of its commands.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its org.
    pub org: OrgId,
    /// Who it is in the org.
    pub identity: Arc<Identity>,
    /// Whether it is the same one when it comes again.
    pub naming: Naming,
    /// When its credential ends; its connections are closed then. None: not at all.
    pub expires: Option<Timestamp>,
    /// The limits of its org.
    pub limits: Arc<LimitSettings>,
    /// What limits by address count it as. None: they do not apply to it.
    pub network: Option<Network>,
    grants: Arc<[Grant]>,
    /// The union of the grants on `*`, so that the common case needs no pattern.
    everywhere: Permissions,
    /// The same where a channel without flags needs no other look: neither at its name nor at what sort of client asks.
    at_once: Permissions,
    /// What the names of channels consist of.
    characters: ChannelCharacters,
    /// Which acts have a rate, as bits by [`Act`]: asked with each publication.
    rated: u8,
    /// Of the credential and the token that it came by, where they can be revoked while the server runs.
    pub(crate) revocations: Vec<Revocation>,
}

/// Tells the callers that came by a credential that it is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revocation(Arc<AtomicBool>);

/// A [`Revocation`] for as long as a caller has it.
pub(crate) struct WeakRevocation(Weak<AtomicBool>);

/// Where a caller's identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The client or its credential says it.
    Named,
    /// Nobody does: it is random, and another the next time.
    Random,
}

impl Caller {
    /// A caller with a name and these grants.
    pub fn new(
        org: OrgId,
        identity: Arc<Identity>,
        grants: Arc<[Grant]>,
        expires: Option<Timestamp>,
        limits: Arc<LimitSettings>,
    ) -> Caller {
        let everywhere = grants
            .iter()
            .filter(|grant| grant.is_everywhere())
            .fold(Permissions::NONE, |union, grant| union.union(grant.permissions));
        let characters = limits.channel_name_characters;
        let has_short_way =
            characters == ChannelCharacters::Any && identity.kind != IdentityKind::ConsumerApp;
        let acts = [Act::Publish, Act::Subscribe, Act::Connect];
        let rated = acts.into_iter().filter(|act| limits.rates(*act).is_set());
        Caller {
            org,
            identity,
            naming: Naming::Named,
            expires,
            network: None,
            grants,
            everywhere,
            at_once: if has_short_way { everywhere } else { Permissions::NONE },
            characters,
            rated: rated.fold(0, |bits, act| bits | act.bit()),
            limits,
            revocations: Vec::new(),
        }
    }

    /// The server itself: every permission on every channel of `org`, for ever. It gives channels what names it likes.
    pub fn server(org: OrgId, limits: Arc<LimitSettings>) -> Caller {
        let identity = Arc::new(Identity::new(IdentityKind::Server, "server"));
        let caller =
            Caller::new(org, identity, Arc::new([Grant::everywhere(Permissions::ALL)]), None, limits);
        Caller { characters: ChannelCharacters::Any, at_once: caller.everywhere, ..caller }
    }

    /// The same client, at this address as far as limits count it.
    #[must_use]
    pub fn coming_from(self, network: Option<Network>) -> Caller {
        Caller { network, ..self }
    }

    /// The same client with no more than the permission to subscribe, where it has that.
    pub(crate) fn listening_only(self) -> Caller {
        let listens = |grant: &Grant| grant.permissions.contains(Permission::Subscribe);
        let permissions = [Permission::Subscribe].into_iter().collect();
        let grants = self.grants.iter().filter(|grant| listens(grant));
        let grants = grants.map(|grant| Grant { channels: grant.channels.clone(), permissions }).collect();
        let Caller { org, identity, naming, expires, limits, network, revocations, .. } = self;
        Caller { naming, network, revocations, ..Caller::new(org, identity, grants, expires, limits) }
    }

    /// What it was granted.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Whether it is an operator of its org: `admin` on every channel.
    pub fn is_admin(&self) -> bool {
        self.everywhere.contains(Permission::Admin)
    }

    /// Whether there is a rate for what it does: without one there is nothing to count.
    #[inline]
    pub fn is_rated(&self, act: Act) -> bool {
        self.rated & act.bit() != 0
    }

    /// Whether its credential has ended: its time is over, or it was removed or replaced.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
            || self.revocations.iter().any(Revocation::is_revoked)
    }

    /// Checks that it may do this on `channel`. Does not allocate unless it refuses.
    ///
    /// Beyond the grants, by the channel's flags: only servers publish on system channels; consumer apps
    /// are on consumer channels only; a companion channel that carries presence events is never published
    /// to, and whoever listens to it or reads its history needs `presence` too.
    ///
    /// # Errors
    /// It may not; the refusal says which permission on which channel, and why.
    #[inline]
    pub fn may(&self, permission: Permission, channel: &ChannelId) -> Result<(), Refused> {
        if channel.flags() == ChannelFlags::NONE && self.at_once.contains(permission) {
            return Ok(());
        }
        match self.why_not(permission, channel) {
            None => Ok(()),
            Some(why) => Err(Refused { permission: why.lacks(permission), channel: channel.clone(), why }),
        }
    }

    fn why_not(&self, permission: Permission, channel: &ChannelId) -> Option<Why> {
        if let Err(Unfit { character, allowed }) = self.characters.check(channel) {
            return Some(Why::Characters(allowed, character));
        }
        let flags = channel.flags();
        let kind = self.identity.kind;
        if kind == IdentityKind::ConsumerApp && !flags.contains(ChannelFlags::CONSUMER) {
            return Some(Why::NotAConsumerChannel);
        }
        if flags.contains(ChannelFlags::PRESENCE) {
            match permission {
                Permission::Publish | Permission::Presence => return Some(Why::PresenceChannel),
                Permission::Subscribe | Permission::History => {
                    if !self.is_granted(Permission::Presence, channel) {
                        return Some(Why::PresenceNotGranted);
                    }
                }
                Permission::Admin => {}
            }
        }
        let publishes = permission == Permission::Publish;
        if publishes && flags.contains(ChannelFlags::SYSTEM) && kind != IdentityKind::Server {
            return Some(Why::SystemChannel);
        }
        (!self.is_granted(permission, channel)).then_some(Why::NotGranted)
    }

    fn is_granted(&self, permission: Permission, channel: &ChannelId) -> bool {
        self.everywhere.contains(permission)
            || self.grants.iter().any(|grant| grant.covers(permission, channel.name()))
    }
}

impl Revocation {
    pub(crate) fn revoke(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_same(&self, other: &Revocation) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether a caller has it besides whoever keeps this one.
    pub(crate) fn is_watched(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(crate) fn downgrade(&self) -> WeakRevocation {
        WeakRevocation(Arc::downgrade(&self.0))
    }

    fn is_revoked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl WeakRevocation {
    pub(crate) fn upgrade(&self) -> Option<Revocation> {
        self.0.upgrade().map(Revocation)
    }
}

/// A caller may not do that there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{permission} on channel {channel:?} is not permitted: {why}", channel = .channel.to_string())]
pub struct Refused {
    /// The permission that the command needs.
    pub permission: Permission,
    /// The channel it was for.
    pub channel: ChannelId,
    /// Which rule refused.
    pub why: Why,
}

impl Refused {
    /// Whether no client of the org may name a channel so: another credential changes nothing.
    pub fn is_name(&self) -> bool {
        matches!(self.why, Why::Characters(..))
    }
}

/// The rule that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No grant of the credential has the permission for the channel.
    NotGranted,
    /// Presence events need `presence` besides.
    PresenceNotGranted,
    /// Only servers publish on system channels.
    SystemChannel,
    /// Consumer apps are on consumer channels only.
    NotAConsumerChannel,
    /// Presence events come from the server alone.
    PresenceChannel,
    /// The name has a character that the org's channel names do not.
    Characters(ChannelCharacters, char),
}

impl Why {
    /// The permission that is not there, where this one was asked for.
    fn lacks(self, asked: Permission) -> Permission {
        if self == Why::PresenceNotGranted { Permission::Presence } else { asked }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Why::Characters(allowed, character) => {
                return write!(f, "{}", Unfit { character: *character, allowed: *allowed });
            }
            Why::NotGranted => "the credential does not grant it",
            Why::PresenceNotGranted => "presence events need the presence permission too",
            Why::SystemChannel => "only servers publish on system channels",
            Why::NotAConsumerChannel => "consumer apps are on consumer channels only",
            Why::PresenceChannel => "presence events come from the server alone",
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::ChannelPattern;

    const NONE: ChannelFlags = ChannelFlags::NONE;
    const SYSTEM: ChannelFlags = ChannelFlags::SYSTEM;
    const CONSUMER: ChannelFlags = ChannelFlags::CONSUMER;
    const PRESENCE: ChannelFlags = ChannelFlags::PRESENCE;

    fn caller(kind: IdentityKind, grants: &[(&str, &[Permission])]) -> Caller {
        let grants = grants.iter().map(|(pattern, permissions)| Grant {
            channels: vec![ChannelPattern::new(pattern)],
            permissions: permissions.iter().copied().collect(),
        });
        let identity = Arc::new(Identity::new(kind, "someone"));
        Caller::new(OrgId::new("acme"), identity, grants.collect(), None, Arc::default())
    }

    fn why(caller: &Caller, permission: Permission, name: &str, flags: ChannelFlags) -> Option<Why> {
        let channel = ChannelId::new(name, flags).unwrap();
        caller.may(permission, &channel).err().map(|refused| refused.why)
    }

    #[test]
    fn flags_and_kinds_with_everything_granted() {
        use IdentityKind::{ConsumerApp, Device, Server, User};
        use Permission::{Admin, History, Presence, Publish, Subscribe};
        let on = |flags: &[ChannelFlags]| flags.iter().fold(NONE, |all, flag| all.with(*flag));
        let combinations = (0..8).map(ChannelFlags::from_bits);
        for flags in combinations {
            for kind in [User, Device, ConsumerApp, Server] {
                for permission in [Publish, Subscribe, History, Presence, Admin] {
                    let refused = why(&caller(kind, &[("*", &Permission::ALL)]), permission, "a", flags);
                    let presence = flags.contains(PRESENCE);
                    let expected = if kind == ConsumerApp && !flags.contains(CONSUMER) {
                        Some(Why::NotAConsumerChannel)
                    } else if presence && [Publish, Presence].contains(&permission) {
                        Some(Why::PresenceChannel)
                    } else if permission == Publish && flags.contains(SYSTEM) && kind != Server {
                        Some(Why::SystemChannel)
                    } else {
                        None
                    };
                    assert_eq!(refused, expected, "{kind:?} {permission} {flags:?}");
                }
            }
        }
        // The same once more, spelled out where it matters most.
        for (kind, permission, flags, expected) in [
            (User, Publish, NONE, None),
            (User, Publish, SYSTEM, Some(Why::SystemChannel)),
            (Device, Publish, SYSTEM, Some(Why::SystemChannel)),
            (Server, Publish, SYSTEM, None),
            (User, Subscribe, SYSTEM, None),
            (User, Publish, CONSUMER, None),
            (ConsumerApp, Publish, CONSUMER, None),
            (ConsumerApp, Subscribe, CONSUMER, None),
            (ConsumerApp, Subscribe, NONE, Some(Why::NotAConsumerChannel)),
            (ConsumerApp, Publish, on(&[SYSTEM, CONSUMER]), Some(Why::SystemChannel)),
            (ConsumerApp, Subscribe, on(&[SYSTEM, CONSUMER]), None),
            (Server, Publish, PRESENCE, Some(Why::PresenceChannel)),
            (Server, Subscribe, PRESENCE, None),
        ] {
            let refused = why(&caller(kind, &[("*", &Permission::ALL)]), permission, "a", flags);
            assert_eq!(refused, expected, "{kind:?} {permission} {flags:?}");
        }
    }

    #[test]
    fn grants_are_by_pattern_and_permission() {
        use Permission::{History, Publish, Subscribe};
        let caller = caller(IdentityKind::User, &[("room.*", &[Publish, Subscribe]), ("log", &[Subscribe])]);
        for (permission, name, expected) in [
            (Publish, "room.1", None),
            (Subscribe, "room.1", None),
            (History, "room.1", Some(Why::NotGranted)),
            (Publish, "log", Some(Why::NotGranted)),
            (Subscribe, "log", None),
            (Subscribe, "rooms", Some(Why::NotGranted)),
            (Subscribe, "LOG", Some(Why::NotGranted)),
        ] {
            assert_eq!(why(&caller, permission, name, NONE), expected, "{permission} {name}");
        }
        assert_eq!(why(&self::caller(IdentityKind::Server, &[]), Publish, "a", NONE), Some(Why::NotGranted));
    }

    #[test]
    fn presence_events_need_both_permissions() {
        use Permission::{Presence, Subscribe};
        for (granted, expected) in [
            (&[Subscribe][..], Some(Why::PresenceNotGranted)),
            (&[Presence], Some(Why::NotGranted)),
            (&[Subscribe, Presence], None),
        ] {
            for pattern in ["*", "room"] {
                let caller = caller(IdentityKind::User, &[(pattern, granted)]);
                assert_eq!(why(&caller, Subscribe, "room", PRESENCE), expected, "{granted:?} {pattern}");
            }
        }
    }

    #[test]
    fn admin_is_an_operator_only_on_every_channel() {
        assert!(caller(IdentityKind::Server, &[("*", &[Permission::Admin])]).is_admin());
        assert!(!caller(IdentityKind::Server, &[("room.*", &[Permission::Admin])]).is_admin());
        assert!(Caller::server(OrgId::new("acme"), Arc::default()).is_admin());
    }

    #[test]
    fn the_refusal_names_permission_and_channel() {
        let caller = caller(IdentityKind::User, &[]);
        let channel = ChannelId::new("news", SYSTEM).unwrap();
        let refused = caller.may(Permission::Subscribe, &channel).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "subscribe on channel \"news (system)\" is not permitted: the credential does not grant it"
        );
    }

    #[test]
    fn a_caller_expires_at_the_moment_it_says() {
        let mut caller = caller(IdentityKind::User, &[]);
        assert!(!caller.has_expired(Timestamp(u64::MAX)));
        caller.expires = Some(Timestamp(10));
        assert!(!caller.has_expired(Timestamp(9)));
        assert!(caller.has_expired(Timestamp(10)));
    }

    #[test]
    fn a_caller_ends_with_the_credential_that_it_came_by() {
        let mut caller = caller(IdentityKind::Device, &[]);
        let revocation = Revocation::default();
        caller.revocations.push(revocation.clone());
        let another = caller.clone();
        assert!(!caller.has_expired(Timestamp(0)));
        revocation.revoke();
        assert!(caller.has_expired(Timestamp(0)) && another.has_expired(Timestamp(0)));
    }
}
