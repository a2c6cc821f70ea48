//! Grants to auth keys: at each level, with wildcards, for a time, and through a restart.

use antiphon_access::Access;
use antiphon_access::pam::{AuthKeyGrant, AuthKeyGranted, Bits, GrantError, Kind, Level, Resource};
use antiphon_model::{OrgId, Timestamp};

use crate::{ACME, NOW, access, after_minutes, keyset, org, permit};

fn names(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

fn channels(channels: &[&str], auths: &[&str], bits: Bits) -> AuthKeyGrant {
    AuthKeyGrant { bits, channels: names(channels), auths: names(auths), ..AuthKeyGrant::default() }
}

fn grant(access: &Access, grant: &AuthKeyGrant) -> Result<AuthKeyGranted, GrantError> {
    access.grant_v2(&keyset(access), grant, NOW)
}

fn bits(access: &Access, auth: Option<&str>, resource: Resource<'_>, now: Timestamp) -> Bits {
    permit(access, auth, now).unwrap().bits_of(resource)
}

#[test]
fn levels_permit_together() {
    let access = access();
    let read_all = AuthKeyGrant { bits: Bits::READ, ..AuthKeyGrant::default() };
    assert_eq!(grant(&access, &read_all).unwrap().level, Level::Subkey);
    assert_eq!(grant(&access, &channels(&["room"], &[], Bits::WRITE)).unwrap().level, Level::Channel);
    let user = grant(&access, &channels(&["room", "hall"], &["k1", "k2"], Bits::DELETE)).unwrap();
    assert_eq!((user.level, user.ttl_minutes, user.changes.len()), (Level::User, 1440, 4));
    for (auth, channel, expected) in [
        (None, "elsewhere", Bits::READ),
        (None, "room", Bits::READ | Bits::WRITE),
        (Some("k3"), "room", Bits::READ | Bits::WRITE),
        (Some("k1"), "room", Bits::READ | Bits::WRITE | Bits::DELETE),
        (Some("k2"), "hall", Bits::READ | Bits::DELETE),
        (Some("K1"), "hall", Bits::READ),
        (Some(""), "hall", Bits::READ),
    ] {
        assert_eq!(bits(&access, auth, Resource::Channel(channel), NOW), expected, "{auth:?} {channel}");
    }
    // All of the keyset is its groups and users as well.
    assert_eq!(bits(&access, None, Resource::Group("g"), NOW), Bits::READ);
    assert_eq!(bits(&access, None, Resource::Uuid("u"), NOW), Bits::READ);
}

#[test]
fn groups_and_users_are_no_channels() {
    let access = access();
    let groups = AuthKeyGrant { bits: Bits::MANAGE, groups: names(&["g"]), ..AuthKeyGrant::default() };
    assert_eq!(grant(&access, &groups).unwrap().level, Level::ChannelGroup);
    let groups = AuthKeyGrant { bits: Bits::READ, auths: names(&["k"]), ..groups };
    assert_eq!(grant(&access, &groups).unwrap().level, Level::ChannelGroupUser);
    let uuids = AuthKeyGrant {
        bits: Bits::GET | Bits::UPDATE,
        uuids: names(&["u"]),
        auths: names(&["k"]),
        ..AuthKeyGrant::default()
    };
    assert_eq!(grant(&access, &uuids).unwrap().level, Level::Uuid);
    for (auth, resource, expected) in [
        (None, Resource::Group("g"), Bits::MANAGE),
        (Some("k"), Resource::Group("g"), Bits::MANAGE | Bits::READ),
        (Some("k"), Resource::Channel("g"), Bits::NONE),
        (Some("k"), Resource::Uuid("u"), Bits::GET | Bits::UPDATE),
        (None, Resource::Uuid("u"), Bits::NONE),
    ] {
        assert_eq!(bits(&access, auth, resource, NOW), expected, "{auth:?} {resource:?}");
    }
}

#[test]
fn wildcards_stand_for_what_begins_like_them() {
    let access = access();
    grant(&access, &channels(&["a.*"], &[], Bits::READ)).unwrap();
    grant(&access, &channels(&["a.b.*"], &["k"], Bits::WRITE)).unwrap();
    grant(&access, &channels(&["*"], &["root"], Bits::DELETE)).unwrap();
    grant(&access, &channels(&["b*", "a.*.c"], &["k"], Bits::MANAGE)).unwrap();
    for (auth, channel, expected) in [
        (None, "a.b", Bits::READ),
        (None, "a.b.c", Bits::READ),
        (None, "a.*", Bits::READ),
        (None, "a", Bits::NONE),
        (None, "ab", Bits::NONE),
        (None, "b.a.c", Bits::NONE),
        (Some("k"), "a.b.c", Bits::READ | Bits::WRITE),
        (Some("k"), "a.c.b", Bits::READ),
        (Some("root"), "anything", Bits::DELETE),
        (Some("root"), "a.b", Bits::READ | Bits::DELETE),
        // Elsewhere a star is a star.
        (Some("k"), "bc", Bits::NONE),
        (Some("k"), "b*", Bits::MANAGE),
        (Some("k"), "a.x.c", Bits::READ),
        (Some("k"), "a.*.c", Bits::READ | Bits::MANAGE),
    ] {
        assert_eq!(bits(&access, auth, Resource::Channel(channel), NOW), expected, "{auth:?} {channel}");
    }
}

#[test]
fn a_grant_replaces_the_one_before_and_ends() {
    let access = access();
    let room = Resource::Channel("room");
    let ten_minutes = AuthKeyGrant { ttl_minutes: Some(10), ..channels(&["room"], &["k"], Bits::READ) };
    grant(&access, &ten_minutes).unwrap();
    assert_eq!(bits(&access, Some("k"), room, Timestamp(after_minutes(10).0 - 1)), Bits::READ);
    assert_eq!(bits(&access, Some("k"), room, after_minutes(10)), Bits::NONE);
    let for_ever = AuthKeyGrant { ttl_minutes: Some(0), bits: Bits::WRITE, ..ten_minutes.clone() };
    assert_eq!(grant(&access, &for_ever).unwrap().ttl_minutes, 0);
    assert_eq!(bits(&access, Some("k"), room, Timestamp(u64::MAX)), Bits::WRITE);
    let nothing = AuthKeyGrant { bits: Bits::NONE, ..ten_minutes };
    let taken_back = grant(&access, &nothing).unwrap();
    assert_eq!(bits(&access, Some("k"), room, NOW), Bits::NONE);
    assert!(taken_back.changes.iter().all(|change| change.value.is_none() && change.expires.is_none()));
    grant(&access, &nothing).unwrap();
}

#[test]
fn grants_come_back_after_a_restart() {
    let access = access();
    let everything = AuthKeyGrant { bits: Bits::READ, ttl_minutes: Some(0), ..AuthKeyGrant::default() };
    let strange = "a/b \u{fc}.*";
    let users = AuthKeyGrant {
        bits: Bits::GET,
        uuids: names(&["u/*"]),
        auths: names(&["secret-auth-key"]),
        ..AuthKeyGrant::default()
    };
    let groups = AuthKeyGrant { bits: Bits::MANAGE, groups: names(&["g"]), ..AuthKeyGrant::default() };
    let restarted = self::access();
    for asked in [everything, channels(&[strange], &["k", "k2"], Bits::WRITE), users, groups] {
        for change in grant(&access, &asked).unwrap().changes {
            let value = change.value.unwrap();
            let shown = format!("{} {}", change.key, String::from_utf8(value.clone()).unwrap());
            assert!(!shown.contains("secret-auth-key"), "{shown}");
            assert_eq!(change.expires, (asked.ttl_minutes != Some(0)).then(|| after_minutes(1440)));
            restarted.restore_v2(&OrgId::new("acme"), &change.key, &value).unwrap();
            restarted.restore_v2(&OrgId::new("gone"), &change.key, &value).unwrap();
        }
    }
    for (auth, resource) in [
        (None, Resource::Channel("anything")),
        (Some("k2"), Resource::Channel("a/b \u{fc}.x")),
        (Some("k3"), Resource::Channel("a/b \u{fc}.x")),
        (Some("secret-auth-key"), Resource::Uuid("u/*")),
        (None, Resource::Group("g")),
    ] {
        let expected = bits(&access, auth, resource, NOW);
        assert_eq!(bits(&restarted, auth, resource, NOW), expected, "{auth:?} {resource:?}");
        assert!(expected.contains(Bits::READ));
        let at_its_end = bits(&restarted, auth, resource, after_minutes(1440));
        assert_eq!(at_its_end, Bits::READ);
    }
    for (key, value) in [
        ("", "{}"),
        ("channel/*/a", "{}"),
        ("channel/*/a", "{\"bits\":256,\"until\":null}"),
        ("channel/a", "{\"bits\":1,\"until\":null}"),
        ("channel/00/a", "{\"bits\":1,\"until\":null}"),
        ("everything/*/a", "{\"bits\":1,\"until\":null}"),
        ("planet/*/a", "{\"bits\":1,\"until\":null}"),
    ] {
        assert!(restarted.restore_v2(&OrgId::new("acme"), key, value.as_bytes()).is_err(), "{key} {value}");
    }
}

#[test]
fn what_cannot_be_granted_is_refused() {
    let access = access();
    let (long_name, long_key) = ("x".repeat(1025), "x".repeat(513));
    let name = |name: &str| GrantError::Name { kind: Kind::Channel, name: name.into() };
    let room = channels(&["room"], &["k"], Bits::READ);
    for (asked, expected) in [
        (AuthKeyGrant { ttl_minutes: Some(525_601), ..room.clone() }, GrantError::Ttl),
        (channels(&[""], &[], Bits::READ), name("")),
        (channels(&[&long_name], &[], Bits::READ), name(&long_name)),
        (channels(&["room"], &[""], Bits::READ), GrantError::AuthKey),
        (channels(&["room"], &[&long_key], Bits::READ), GrantError::AuthKey),
        (AuthKeyGrant { uuids: names(&["u"]), ..room.clone() }, GrantError::Combination),
        (AuthKeyGrant { uuids: names(&["u"]), ..AuthKeyGrant::default() }, GrantError::Combination),
    ] {
        assert_eq!(grant(&access, &asked).unwrap_err(), expected, "{asked:?}");
    }
    let demo = access.keyset("demo").unwrap();
    assert_eq!(access.grant_v2(&demo, &room, NOW).unwrap_err(), GrantError::NoSecretKey);
    assert!(
        !format!("{:?}", channels(&["room"], &["secret-auth-key"], Bits::READ)).contains("secret-auth-key")
    );
}

#[test]
fn as_many_grants_are_remembered_as_may_be() {
    let access = Access::load(vec![org(&format!("{ACME}\n[limits]\nauth_key_grants_max = 4"))]).unwrap();
    let keyset = keyset(&access);
    let grant = |channels: &[&str], bits: Bits, now: Timestamp| {
        let asked = AuthKeyGrant { ttl_minutes: Some(10), ..self::channels(channels, &["k1", "k2"], bits) };
        access.grant_v2(&keyset, &asked, now).map(drop)
    };
    grant(&["a"], Bits::READ, NOW).unwrap();
    grant(&["b.*"], Bits::READ, after_minutes(5)).unwrap();
    assert_eq!(grant(&["c"], Bits::READ, after_minutes(6)), Err(GrantError::TooMany));
    grant(&["b.*"], Bits::NONE, after_minutes(6)).unwrap();
    grant(&["c"], Bits::READ, after_minutes(6)).unwrap();
    // Those of the first are over by now.
    grant(&["d"], Bits::READ, after_minutes(10)).unwrap();
    assert_eq!(grant(&["e", "f", "g"], Bits::READ, after_minutes(60)), Err(GrantError::TooMany));
    grant(&["e", "f"], Bits::READ, after_minutes(60)).unwrap();
}
