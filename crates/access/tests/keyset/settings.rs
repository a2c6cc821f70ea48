//! The keys of the configuration: what is taken, and what is said about what is not.

use antiphon_access::pam::{Bits, Presented, Resource};
use antiphon_access::{Access, AuthError, KeysetProblem, Naming, Permission, SettingsProblem, Signed};
use antiphon_model::{ChannelFlags, ChannelId, IdentityKind, OrgId};

use crate::{ACME, NOW, OPEN, access, keyset, org};

#[test]
fn keysets_are_found_by_their_subscribe_key() {
    let access = access();
    let acme = access.keyset("sub-key").unwrap();
    assert_eq!((acme.org.as_str(), &*acme.publish_key, &*acme.subscribe_key), ("acme", "pub-key", "sub-key"));
    assert!(acme.access_manager && acme.has_secret_key());
    let demo = access.keyset("demo").unwrap();
    assert!(demo.org.as_str() == "demo" && !demo.access_manager && !demo.has_secret_key());
    assert!(access.keyset("pub-key").is_none() && access.keyset("").is_none());
    assert_eq!(access.keyset_of(&OrgId::new("other")).unwrap().subscribe_key, "other-sub-key".into());
    let none = Access::load(vec![org("name = \"a\"")]).unwrap();
    assert!(none.keyset_of(&OrgId::new("a")).is_none());
}

#[test]
fn callers_are_users_who_may_what_clients_may() {
    let access = access();
    let caller = keyset(&access).caller(Some("alice")).unwrap();
    assert_eq!((caller.org.as_str(), &*caller.identity.id), ("acme", "alice"));
    assert_eq!((caller.identity.kind, caller.naming), (IdentityKind::User, Naming::Named));
    let channel = ChannelId::new("room", ChannelFlags::NONE).unwrap();
    for permission in Permission::ALL {
        assert_eq!(caller.may(permission, &channel).is_ok(), permission != Permission::Admin);
    }
    assert_eq!(keyset(&access).caller(None).unwrap().naming, Naming::Random);
    assert_eq!(keyset(&access).caller(Some("")).unwrap_err(), AuthError::InvalidIdentity);
}

#[test]
fn without_an_access_manager_everything_is_permitted_and_nobody_is_an_operator() {
    let access = access();
    let demo = access.keyset("demo").unwrap();
    let presented = Presented { auth: Some("whatever"), uuid: None, signed: Signed::No };
    let permit = access.permit(&demo, &presented, NOW).unwrap();
    permit.check(Resource::Channel("room"), Bits::ALL).unwrap();
    assert!(!permit.is_admin());
}

#[test]
fn keys_that_cannot_be_meant_are_refused() {
    let long = format!("publish_key = \"{}\"\nsubscribe_key = \"s\"", "x".repeat(129));
    for (toml, expected) in [
        ("publish_key = \"p\"", "publish_key and subscribe_key are needed"),
        ("subscribe_key = \"s\"", "publish_key and subscribe_key are needed"),
        ("secret_key = \"s\"", "publish_key and subscribe_key are needed"),
        ("access_manager = true", "publish_key and subscribe_key are needed"),
        ("publish_key = \"\"\nsubscribe_key = \"s\"", "publish_key is 1 to 128"),
        ("publish_key = \"p\"\nsubscribe_key = \"a b\"", "subscribe_key is 1 to 128"),
        ("publish_key = \"p\"\nsubscribe_key = \"a/b\"", "subscribe_key is 1 to 128"),
        (&long, "publish_key is 1 to 128"),
        ("publish_key = \"p\"\nsubscribe_key = \"s\"\nsecret_key = \"\"", "the secret key is 1 to 512"),
        ("publish_key = \"p\"\nsubscribe_key = \"s\"\nsecret_key = \"a b\"", "the secret key is 1 to 512"),
        ("publish_key = \"p\"\nsubscribe_key = \"s\"\naccess_manager = true", "access_manager needs"),
        (
            "publish_key = \"p\"\nsubscribe_key = \"s\"\nsecret_key = \"k\"\nsecret_key_file = \"f\"",
            "give either",
        ),
        (
            "publish_key = \"p\"\nsubscribe_key = \"s\"\nsecret_key_file = \"/nowhere/at/all\"",
            "/nowhere/at/all",
        ),
    ] {
        let error = Access::load(vec![org(&format!("name = \"a\"\n{toml}"))]).unwrap_err();
        assert!(error.to_string().contains(expected), "{toml}: {error}");
    }
    let same = ACME.replace("acme", "umbrella");
    let error = Access::load(vec![org(ACME), org(&same)]).unwrap_err();
    assert!(matches!(error.problem, SettingsProblem::Keyset(KeysetProblem::Duplicate)), "{error}");
    // Publish keys say nothing about the org, so they need not be different.
    Access::load(vec![org(ACME), org(&same.replace("sub-key", "another"))]).unwrap();
}

#[test]
fn debug_shows_no_secret_key() {
    let access = access();
    let keyset = keyset(&access);
    let twice = Access::load(vec![org(ACME), org(&ACME.replace("acme", "umbrella"))]).unwrap_err();
    let shown = format!("{access:?} {keyset:?} {twice:?} {twice} {:?} {:?}", org(ACME), org(OPEN));
    assert!(!shown.contains("sec-k3y"), "{shown}");
}
