//! What the holder of a client certificate may do as a PubNub client: what its authority's grants say, in the words of the access manager.

use antiphon_model::{ChannelFlags, ChannelId};

use super::{Bits, Resource};
use crate::{Caller, Permission};

/// What PubNub's names of the channels with presence events end in.
const PRESENCE: &str = "-pnpres";

pub(super) fn bits_of(caller: &Caller, resource: Resource<'_>) -> Bits {
    if caller.is_admin() {
        return Bits::ALL;
    }
    match resource {
        Resource::Channel(name) => on_channel(caller, name),
        // A group may have any channels in it.
        Resource::Group(_) if everywhere(caller, Permission::Subscribe) => Bits::READ,
        Resource::Uuid(name) if *name == *caller.identity.id => Bits::GET | Bits::UPDATE | Bits::DELETE,
        Resource::Group(_) | Resource::Uuid(_) => Bits::NONE,
    }
}

fn on_channel(caller: &Caller, name: &str) -> Bits {
    let (base, presence) = match name.strip_suffix(PRESENCE) {
        Some(base) => (base, ChannelFlags::PRESENCE),
        None => (name, ChannelFlags::NONE),
    };
    let Ok(channel) = ChannelId::new(base, presence) else { return Bits::NONE };
    let mut bits = Bits::NONE;
    if caller.may(Permission::Subscribe, &channel).is_ok() {
        bits = bits | Bits::READ | Bits::GET | Bits::JOIN;
    }
    if caller.may(Permission::Publish, &channel).is_ok() {
        bits = bits | Bits::WRITE;
    }
    bits
}

fn everywhere(caller: &Caller, permission: Permission) -> bool {
    caller.grants().iter().any(|grant| grant.is_everywhere() && grant.permissions.contains(permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use antiphon_model::{ChannelPattern, Identity, IdentityKind, OrgId};

    use crate::Grant;

    fn holder(pattern: &str, permissions: &[Permission]) -> Caller {
        let grant = Grant {
            channels: vec![ChannelPattern::new(pattern)],
            permissions: permissions.iter().copied().collect(),
        };
        let identity = Arc::new(Identity::new(IdentityKind::Device, "sensor-7"));
        Caller::new(OrgId::new("acme"), identity, Arc::new([grant]), None, Arc::default())
    }

    #[test]
    fn grants_are_bits() {
        use Permission::{Admin, Presence, Publish, Subscribe};
        let rooms = holder("room.*", &[Publish, Subscribe]);
        let listens = Bits::READ | Bits::GET | Bits::JOIN;
        for (resource, expected) in [
            (Resource::Channel("room.1"), listens | Bits::WRITE),
            (Resource::Channel("room.*"), listens | Bits::WRITE),
            (Resource::Channel("room.1-pnpres"), Bits::NONE),
            (Resource::Channel("other"), Bits::NONE),
            (Resource::Channel("*"), Bits::NONE),
            (Resource::Channel(""), Bits::NONE),
            (Resource::Group("room.1"), Bits::NONE),
            (Resource::Uuid("sensor-7"), Bits::GET | Bits::UPDATE | Bits::DELETE),
            (Resource::Uuid("sensor-8"), Bits::NONE),
        ] {
            assert_eq!(bits_of(&rooms, resource), expected, "{resource:?}");
        }
        let all = holder("*", &[Subscribe, Presence]);
        assert_eq!(bits_of(&all, Resource::Group("any")), Bits::READ);
        assert_eq!(bits_of(&all, Resource::Channel("any-pnpres")), listens);
        assert_eq!(bits_of(&holder("*", &[Admin]), Resource::Group("any")), Bits::ALL);
    }
}
