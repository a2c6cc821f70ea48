use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, Grant, Permission, Permissions};
use antiphon_hub::{Kinds, Rule};
use antiphon_model::{ChannelFlags, ChannelId, ChannelPattern, Identity, IdentityKind, RawJson};
use antiphon_node::{NodeSettings, ReadError};

use crate::Setup;
use crate::fake::FakeStore;

const TTL: Duration = Duration::from_secs(60);

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

/// Somebody who may see who is on the channels of a pattern.
fn caller(setup: &Setup, name: &str, channels: &str) -> Caller {
    let permissions: Permissions = [Permission::Presence, Permission::Subscribe].into_iter().collect();
    let grant = Grant { channels: vec![ChannelPattern::new(channels)], permissions };
    let identity = Arc::new(Identity::new(IdentityKind::User, name));
    Caller::new(setup.caller.org.clone(), identity, Arc::new([grant]), None, Arc::default())
}

fn setup(rule: Rule) -> Setup {
    Setup::new(FakeStore::new(None), rule, NodeSettings::default())
}

#[test]
fn where_somebody_is_and_who_is_anywhere_is_shown_as_far_as_the_caller_may_see() {
    let setup = setup(Rule::default());
    let (ann, bob) = (caller(&setup, "ann", "*"), caller(&setup, "bob", "a*"));
    let node = &setup.node;
    let state = RawJson::from_serializer("{\"mood\":1}");
    for (who, name, state) in
        [(&ann, "a1", Some(&state)), (&ann, "b1", None), (&bob, "a1", None), (&ann, "a2", None)]
    {
        node.heartbeat(who, &channel(name), TTL, state.cloned()).unwrap();
    }
    let names = |channels: Vec<Arc<ChannelId>>| {
        let mut names: Vec<_> = channels.iter().map(|channel| channel.name().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(node.channels_of(&ann, &ann.identity, 10)), ["a1", "a2", "b1"]);
    assert_eq!(names(node.channels_of(&bob, &ann.identity, 10)), ["a1", "a2"]);
    assert_eq!(node.channels_of(&bob, &ann.identity, 1).len(), 1);
    let nobody = Identity::new(IdentityKind::Device, "ann");
    assert!(node.channels_of(&ann, &nobody, 10).is_empty(), "a device of that name is somebody else");

    let occupied = |caller: &Caller, limit| {
        let mut occupied: Vec<_> = node.occupied(caller, limit).into_iter().collect();
        occupied.sort();
        occupied.into_iter().map(|(channel, count)| format!("{} {count}", channel.name())).collect::<Vec<_>>()
    };
    assert_eq!(occupied(&ann, 10), ["a1 2", "a2 1", "b1 1"]);
    assert_eq!(occupied(&bob, 10), ["a1 2", "a2 1"]);
    assert_eq!(occupied(&ann, 2).len(), 2);

    let member = node.member(&bob, &channel("a1"), &ann.identity).unwrap().unwrap();
    assert_eq!(member.state, Some(state));
    assert_eq!(node.member(&bob, &channel("a2"), &bob.identity).unwrap(), None);
    assert!(node.member(&bob, &channel("b1"), &ann.identity).is_err());

    for name in ["a1", "a2", "b1"] {
        node.depart(&ann, &channel(name)).unwrap();
    }
    assert!(node.channels_of(&ann, &ann.identity, 10).is_empty());
    assert_eq!(occupied(&ann, 10), ["a1 1"]);
}

#[test]
fn who_may_listen_to_a_wildcard_may_listen_to_all_below_it() {
    let devices: Kinds = [IdentityKind::Device].into_iter().collect();
    let secret = ChannelPattern::new("a.secret.*");
    let setup = setup(Rule { channels: secret, subscribers: devices, ..Rule::default() });
    let wildcard = |prefix: &str| ChannelId::wildcard_of(prefix).unwrap();
    let may = |channels, prefix: &str| {
        let caller = caller(&setup, "ann", channels);
        setup.node.may_listen(&caller, &wildcard(prefix))
    };
    assert!(may("*", "b").is_ok() && may("*", "a.open").is_ok() && may("a.open.*", "a.open").is_ok());
    for (channels, prefix) in [("*", "a"), ("*", "a.secret")] {
        assert!(matches!(may(channels, prefix), Err(ReadError::KindRefused(_))), "{channels} {prefix}");
    }
    for (channels, prefix) in [("b.c", "b"), ("b.c.*", "b"), ("*.d", "b")] {
        assert!(matches!(may(channels, prefix), Err(ReadError::Refused(_))), "{channels} {prefix}");
    }
}
