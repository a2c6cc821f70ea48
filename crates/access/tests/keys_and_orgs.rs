//! API keys, the open org, and what settings are refused.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

use antiphon_access::{
    Access, AuthError, Caller, Naming, OrgSettings, Permission, SettingsProblem, Transport,
};
use antiphon_model::{ChannelFlags, ChannelId, IdentityKind, OrgId, Timestamp};

const NOW: Timestamp = Timestamp(0);

const ACME: &str = r#"
    name = "acme"
    allowed_origins = ["https://app.example.com"]
    [[key]]
    key = "key-for-rooms"
    allow = ["publish", "subscribe"]
    channels = ["room.*"]
    [[key]]
    key = "key-for-admins"
    allow = ["admin"]
    [[key]]
    key = "key-for-sensor-7"
    allow = ["publish"]
    kind = "device"
    identity = "sensor-7"
"#;

fn org(toml: &str) -> OrgSettings {
    toml::from_str(toml).unwrap()
}

fn access() -> Access {
    Access::load(vec![org(ACME), org("name = \"demo\"\nopen = true")]).unwrap()
}

fn may(caller: &Caller, permission: Permission, name: &str, flags: ChannelFlags) -> bool {
    caller.may(permission, &ChannelId::new(name, flags).unwrap()).is_ok()
}

#[test]
fn keys_make_callers_of_their_org() {
    let access = access();
    for (credential, hint, id, kind) in [
        ("key-for-rooms", Some("alice"), "alice", IdentityKind::User),
        ("Bearer key-for-rooms", Some("alice"), "alice", IdentityKind::User),
        ("key-for-admins", Some("ops"), "ops", IdentityKind::Server),
        ("key-for-sensor-7", Some("alice"), "sensor-7", IdentityKind::Device),
        ("key-for-sensor-7", None, "sensor-7", IdentityKind::Device),
    ] {
        let caller = access.authenticate(Some(credential), hint, NOW).unwrap();
        assert_eq!(caller.org.as_str(), "acme");
        assert_eq!((&*caller.identity.id, caller.identity.kind), (id, kind), "{credential}");
        assert_eq!((caller.expires, caller.naming), (None, Naming::Named));
    }
    for credential in [Some("key-for-rooms"), None] {
        assert_eq!(access.authenticate(credential, None, NOW).unwrap().naming, Naming::Random);
        assert_eq!(access.authenticate(credential, Some("alice"), NOW).unwrap().naming, Naming::Named);
    }
}

#[test]
fn keys_permit_what_they_say() {
    let access = access();
    let rooms = access.authenticate(Some("key-for-rooms"), None, NOW).unwrap();
    assert!(may(&rooms, Permission::Publish, "room.1", ChannelFlags::NONE));
    assert!(!may(&rooms, Permission::Publish, "lobby", ChannelFlags::NONE));
    assert!(!may(&rooms, Permission::Publish, "room.1", ChannelFlags::SYSTEM));
    assert!(!rooms.is_admin());
    let admin = access.authenticate(Some("key-for-admins"), None, NOW).unwrap();
    assert!(admin.is_admin());
    assert!(may(&admin, Permission::Publish, "lobby", ChannelFlags::SYSTEM));
}

#[test]
fn what_is_no_key_is_refused() {
    let access = access();
    for (credential, expected) in [
        ("key-for-room", AuthError::UnknownKey),
        ("key-for-rooms2", AuthError::UnknownKey),
        ("KEY-FOR-ROOMS", AuthError::UnknownKey),
        ("Basic key-for-rooms", AuthError::UnsupportedScheme),
        ("a.b", AuthError::UnknownKey),
    ] {
        // That there is an open org helps nobody who presents a wrong key.
        assert_eq!(access.authenticate(Some(credential), None, NOW).unwrap_err(), expected, "{credential}");
    }
    let invalid = access.authenticate(Some("key-for-rooms"), Some("a\nb"), NOW);
    assert_eq!(invalid.unwrap_err(), AuthError::InvalidIdentity);
}

#[test]
fn the_open_org_is_for_clients_without_credentials() {
    let access = access();
    for credential in [None, Some(""), Some("Bearer ")] {
        let caller = access.authenticate(credential, Some("alice"), NOW).unwrap();
        assert_eq!((caller.org.as_str(), &*caller.identity.id), ("demo", "alice"));
        assert!(may(&caller, Permission::Publish, "anything", ChannelFlags::NONE));
        assert!(may(&caller, Permission::Publish, "anything", ChannelFlags::CONSUMER));
        assert!(!may(&caller, Permission::Publish, "anything", ChannelFlags::SYSTEM));
        assert!(!may(&caller, Permission::Admin, "anything", ChannelFlags::NONE));
    }
    let names: Vec<_> =
        (0..2).map(|_| access.authenticate(None, None, NOW).unwrap().identity.id.to_string()).collect();
    assert!(names[0].starts_with("anon-") && names[0] != names[1]);
    assert_eq!(access.open_org().unwrap().id, OrgId::new("demo"));

    let closed = Access::load(vec![org(ACME)]).unwrap();
    assert_eq!(closed.authenticate(None, None, NOW).unwrap_err(), AuthError::Missing);
    assert!(closed.open_org().is_none());
}

#[test]
fn a_key_file_is_read_again_on_reload() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "first-key\n").unwrap();
    let toml = format!("name = \"acme\"\n[[key]]\nkey_file = {path:?}\nallow = [\"publish\"]");
    let access = Access::load(vec![org(&toml)]).unwrap();
    assert!(access.authenticate(Some("first-key"), None, NOW).is_ok());
    std::fs::write(&path, "second key, with spaces\n").unwrap();
    assert!(access.reload().is_err());
    assert!(access.authenticate(Some("first-key"), None, NOW).is_ok());
    std::fs::write(&path, "second-key\n").unwrap();
    access.reload().unwrap();
    assert!(access.authenticate(Some("first-key"), None, NOW).is_err());
    assert!(access.authenticate(Some("second-key"), None, NOW).is_ok());
}

#[test]
fn origins_are_the_orgs_own_and_preflights_ask_all() {
    let access = access();
    let origin = Some("https://app.example.com");
    let check = |org: &str| {
        let org = access.org(&OrgId::new(org)).unwrap();
        org.origins.check(origin, Some("chat.example.net"), Transport::Plain).is_ok()
    };
    assert!(check("acme"));
    assert!(!check("demo"));
    assert!(access.check_preflight(origin, None, Transport::Plain).is_ok());
    assert!(access.check_preflight(Some("https://evil.example"), None, Transport::Plain).is_err());
    assert!(access.org(&OrgId::new("nobody")).is_none());
    assert_eq!(access.orgs().len(), 2);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let key = |key: &str| format!("name = \"a\"\n[[key]]\nkey = {key:?}\nallow = [\"publish\"]");
    let is = |toml: &[&str], expected: fn(&SettingsProblem) -> bool| {
        let settings = toml.iter().map(|toml| org(toml)).collect();
        let error = Access::load(settings).unwrap_err();
        assert!(expected(&error.problem), "{toml:?}: {error}");
    };
    is(&["name = \"a b\""], |problem| matches!(problem, SettingsProblem::Name));
    is(&["name = \"a\"", "name = \"a\""], |problem| matches!(problem, SettingsProblem::Duplicate));
    is(&["name = \"a\"\nopen = true", "name = \"b\"\nopen = true"], |problem| {
        matches!(problem, SettingsProblem::SecondOpen)
    });
    is(&[&key("short")], |problem| matches!(problem, SettingsProblem::ApiKey(1)));
    is(&[&key("with a space")], |problem| matches!(problem, SettingsProblem::ApiKey(1)));
    is(&["name = \"a\"\n[[key]]\nallow = []"], |problem| matches!(problem, SettingsProblem::ApiKey(1)));
    is(&["name = \"a\"\n[[key]]\nkey_file = \"/nowhere/at/all\"\nallow = []"], |problem| {
        matches!(problem, SettingsProblem::ApiKeyFile(1, _))
    });
    is(&[&key("key-of-two-orgs"), &key("key-of-two-orgs").replace("\"a\"", "\"b\"")], |problem| {
        matches!(problem, SettingsProblem::ApiKeyTwice(1))
    });
    is(&[&format!("{}\nidentity = \"\"", key("long-enough"))], |problem| {
        matches!(problem, SettingsProblem::Identity(1))
    });
    is(&["name = \"a\"\nallowed_origins = [\"example.com\"]"], |problem| {
        matches!(problem, SettingsProblem::Origin(_))
    });
    is(&["name = \"a\"\n[limits]\nconnections_max = 0"], |problem| {
        matches!(problem, SettingsProblem::Limits(_))
    });
}

#[test]
fn debug_and_errors_show_no_key() {
    let access = access();
    let caller = access.authenticate(Some("key-for-rooms"), None, NOW).unwrap();
    let unknown = access.authenticate(Some("guessed-key"), None, NOW).unwrap_err();
    let twice = Access::load(vec![org(ACME), org(&ACME.replace("acme", "umbrella"))]).unwrap_err();
    let orgs = access.orgs();
    let shown = format!("{access:?} {orgs:?} {caller:?} {unknown:?} {unknown} {twice:?} {twice}");
    assert!(!shown.contains("key-for-") && !shown.contains("guessed-key"), "{shown}");
}
