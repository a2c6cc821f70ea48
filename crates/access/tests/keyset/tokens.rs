//! Tokens of the access manager: what they permit, and when they do no longer.

use std::collections::BTreeMap;

use antiphon_access::pam::{
    Bits, Forbidden, GrantError, PatternProblem, Presented, Resource, Revocation, RevokeError, Scopes,
    TokenError, TokenGrant,
};
use antiphon_access::{Access, Signed};
use antiphon_model::{OrgId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use crate::{ACME, NOW, OPEN, access, after_minutes, keyset, org, permit};

fn scope(entries: &[(&str, Bits)]) -> BTreeMap<Box<str>, Bits> {
    entries.iter().map(|(name, bits)| ((*name).into(), *bits)).collect()
}

fn channels(entries: &[(&str, Bits)]) -> Scopes {
    Scopes { channels: scope(entries), ..Scopes::default() }
}

fn reads_room() -> TokenGrant {
    TokenGrant { ttl_minutes: 15, resources: channels(&[("room", Bits::READ)]), ..TokenGrant::default() }
}

fn grant(access: &Access, grant: &TokenGrant) -> Result<String, GrantError> {
    access.grant_token(&keyset(access), grant, NOW)
}

#[test]
fn a_token_permits_what_it_says_by_name_and_by_pattern() {
    let access = access();
    let all = TokenGrant {
        ttl_minutes: 15,
        resources: Scopes {
            channels: scope(&[("room", Bits::READ | Bits::WRITE), ("room-pnpres", Bits::READ)]),
            groups: scope(&[("friends", Bits::READ)]),
            uuids: scope(&[("alice", Bits::GET | Bits::UPDATE)]),
        },
        patterns: Scopes {
            channels: scope(&[("^log-[0-9]+$", Bits::READ), ("log-1|(?i)NEWS", Bits::JOIN)]),
            groups: scope(&[("team-.*", Bits::MANAGE)]),
            uuids: scope(&[(".*", Bits::GET)]),
        },
        ..TokenGrant::default()
    };
    let token = grant(&access, &all).unwrap();
    let permit = permit(&access, Some(&token), NOW).unwrap();
    for (resource, expected) in [
        (Resource::Channel("room"), Bits::READ | Bits::WRITE),
        (Resource::Channel("room-pnpres"), Bits::READ),
        (Resource::Channel("rooms"), Bits::NONE),
        (Resource::Channel("log-1"), Bits::READ | Bits::JOIN),
        (Resource::Channel("log-12"), Bits::READ),
        (Resource::Channel("my-log-1"), Bits::NONE),
        (Resource::Channel("log-1\n"), Bits::NONE),
        (Resource::Channel("news"), Bits::JOIN),
        (Resource::Channel("friends"), Bits::NONE),
        (Resource::Group("friends"), Bits::READ),
        (Resource::Group("team-a"), Bits::MANAGE),
        (Resource::Uuid("alice"), Bits::GET | Bits::UPDATE),
        (Resource::Uuid("bob"), Bits::GET),
    ] {
        assert_eq!(permit.bits_of(resource), expected, "{resource:?}");
        for bit in (0..8).filter_map(|bit| Bits::from_bits(1 << bit)) {
            assert_eq!(permit.check(resource, bit).is_ok(), expected.contains(bit), "{resource:?} {bit:?}");
        }
    }
    assert!(!permit.is_admin());
    assert_eq!(permit.expires(), Some(after_minutes(15)));
}

#[test]
fn a_refusal_names_all_that_was_refused() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let permit = permit(&access, Some(&token), NOW).unwrap();
    let asked = [
        Resource::Channel("room"),
        Resource::Channel("b"),
        Resource::Group("g"),
        Resource::Channel("b"),
        Resource::Uuid("u"),
        Resource::Channel("c"),
    ];
    let mut refused = permit.check_all(asked, Bits::READ).unwrap_err();
    let expected = Forbidden {
        channels: vec!["b".into(), "c".into()],
        groups: vec!["g".into()],
        uuids: vec!["u".into()],
    };
    assert_eq!(refused, expected);
    refused.merge(permit.check(Resource::Channel("room"), Bits::WRITE).unwrap_err());
    assert_eq!(refused.channels, ["b".into(), "c".into(), "room".into()]);
    permit.check_all([], Bits::ALL).unwrap();
}

#[test]
fn a_signed_request_may_do_everything() {
    let access = access();
    let presented = Presented { auth: Some("not a token"), uuid: None, signed: Signed::Yes };
    let permit = access.permit(&keyset(&access), &presented, NOW).unwrap();
    assert!(permit.is_admin());
    permit.check(Resource::Channel("room"), Bits::ALL).unwrap();
}

#[test]
fn a_token_is_good_from_the_moment_it_is_made_until_its_time_is_over() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let last = Timestamp(after_minutes(15).0 - 1);
    assert!(permit(&access, Some(&token), last).is_ok());
    assert_eq!(permit(&access, Some(&token), after_minutes(15)).unwrap_err(), TokenError::Expired);
    let revoked = access.revoke_token(&keyset(&access), &token, after_minutes(15));
    assert_eq!(revoked.unwrap_err(), RevokeError::Token(TokenError::Expired));
}

#[test]
fn a_token_for_one_user_is_for_no_other() {
    let access = access();
    for (uuid, expected) in [("alice", Ok(())), ("bob", Err(TokenError::OtherUuid))] {
        let token = grant(&access, &TokenGrant { uuid: Some(uuid.into()), ..reads_room() }).unwrap();
        assert_eq!(permit(&access, Some(&token), NOW).map(drop), expected);
        let nobody = Presented { auth: Some(&token), uuid: None, signed: Signed::No };
        let outcome = access.permit(&keyset(&access), &nobody, NOW).map(drop);
        assert_eq!(outcome, Err(TokenError::OtherUuid));
    }
}

#[test]
fn a_token_of_another_keyset_or_another_secret_key_is_refused() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let presented = Presented { auth: Some(&token), uuid: None, signed: Signed::No };
    // They have the same secret key.
    let other = access.keyset("other-sub-key").unwrap();
    assert_eq!(access.permit(&other, &presented, NOW).map(drop), Err(TokenError::BadSignature));
    assert_eq!(access.revoke_token(&other, &token, NOW), Err(TokenError::BadSignature.into()));
    let rotated = Access::load(vec![org(&ACME.replace("sec-k3y", "another"))]).unwrap();
    assert_eq!(permit(&rotated, Some(&token), NOW).map(drop), Err(TokenError::BadSignature));
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let bytes = URL_SAFE.decode(&token).unwrap();
    for index in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[index] ^= bit;
            // Where it is no token's form any longer it is an auth key, which nobody has granted anything.
            match permit(&access, Some(&URL_SAFE.encode(&changed)), NOW) {
                Ok(permit) => permit.check(Resource::Channel("room"), Bits::READ).map(drop).unwrap_err(),
                Err(error) => {
                    assert_eq!(error, TokenError::BadSignature, "{index}");
                    continue;
                }
            };
        }
    }
}

#[test]
fn padding_may_get_lost() {
    let access = access();
    for name in ["a", "ab", "abc"] {
        let resources = channels(&[(name, Bits::READ)]);
        let token = grant(&access, &TokenGrant { resources, ..reads_room() }).unwrap();
        assert_eq!(token.len() % 4, 0);
        let bare = token.trim_end_matches('=');
        permit(&access, Some(bare), NOW).unwrap().check(Resource::Channel(name), Bits::READ).unwrap();
        // Whatever it looks like, it is the same token.
        access.revoke_token(&keyset(&access), bare, NOW).unwrap();
        assert_eq!(permit(&access, Some(&token), NOW).unwrap_err(), TokenError::Revoked);
    }
}

#[test]
fn a_revoked_token_is_good_for_nothing_from_that_moment_on() {
    let access = access();
    let (token, same) = (grant(&access, &reads_room()).unwrap(), grant(&access, &reads_room()).unwrap());
    assert_ne!(token, same);
    let revocation = access.revoke_token(&keyset(&access), &token, NOW).unwrap();
    assert_eq!(revocation.until, after_minutes(15));
    assert_eq!(permit(&access, Some(&token), NOW).unwrap_err(), TokenError::Revoked);
    let again = access.revoke_token(&keyset(&access), &token, NOW);
    assert_eq!(again, Err(RevokeError::Token(TokenError::Revoked)));
    // One that says the same at the same time is another one.
    assert!(permit(&access, Some(&same), NOW).is_ok());

    let restarted = self::access();
    assert!(permit(&restarted, Some(&token), NOW).is_ok());
    let stored = revocation.token.to_string();
    let restored = Revocation { token: stored.parse().unwrap(), until: revocation.until };
    assert_eq!(restored, revocation);
    restarted.restore_revocation(&OrgId::new("acme"), restored);
    restarted.restore_revocation(&OrgId::new("gone"), restored);
    assert_eq!(permit(&restarted, Some(&token), NOW).unwrap_err(), TokenError::Revoked);
    assert!(!token.contains(&stored) && stored.len() == 64);
}

#[test]
fn what_is_no_token_of_ours_cannot_be_revoked() {
    let access = access();
    for (token, expected) in [
        ("", TokenError::Malformed),
        ("no token", TokenError::Malformed),
        (&"A".repeat(40_000), TokenError::TooLong),
    ] {
        let outcome = access.revoke_token(&keyset(&access), token, NOW);
        assert_eq!(outcome, Err(RevokeError::Token(expected)));
    }
}

#[test]
fn callers_end_with_the_token_that_they_came_by() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let caller = || {
        let permit = permit(&access, Some(&token), NOW).unwrap();
        permit.limit(keyset(&access).caller(Some("alice")).unwrap())
    };
    let (first, second) = (caller(), caller());
    let late = permit(&access, Some(&token), NOW).unwrap();
    assert!(!first.has_expired(NOW) && first.has_expired(after_minutes(15)));
    access.revoke_token(&keyset(&access), &token, NOW).unwrap();
    assert!(first.has_expired(NOW) && second.has_expired(NOW));
    // Whose request came before the revocation, and begins to wait after it.
    assert!(late.limit(keyset(&access).caller(None).unwrap()).has_expired(NOW));
}

#[test]
fn another_secret_key_in_the_file_ends_tokens_and_their_callers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret-key");
    std::fs::write(&path, "first\n").unwrap();
    let toml = ACME.replace("secret_key = \"sec-k3y\"", &format!("secret_key_file = {path:?}"));
    let access = Access::load(vec![org(&toml), org(OPEN)]).unwrap();
    let token = grant(&access, &reads_room()).unwrap();
    let old = permit(&access, Some(&token), NOW).unwrap().limit(keyset(&access).caller(None).unwrap());
    access.revoke_token(&keyset(&access), &grant(&access, &reads_room()).unwrap(), NOW).unwrap();
    access.reload().unwrap();
    assert!(permit(&access, Some(&token), NOW).is_ok() && !old.has_expired(NOW));
    std::fs::write(&path, "second\n").unwrap();
    access.reload().unwrap();
    assert_eq!(permit(&access, Some(&token), NOW).unwrap_err(), TokenError::BadSignature);
    assert!(old.has_expired(NOW));
    std::fs::write(&path, "first\n").unwrap();
    access.reload().unwrap();
    assert!(permit(&access, Some(&token), NOW).is_ok());
}

#[test]
fn what_cannot_be_granted_is_refused_with_its_place() {
    let access = access();
    let read = Bits::READ;
    let long = "x".repeat(1025);
    let base = reads_room;
    let name = |name: &str| TokenGrant { resources: channels(&[(name, Bits::READ)]), ..base() };
    let pattern = |pattern: &str| TokenGrant { patterns: channels(&[(pattern, Bits::READ)]), ..base() };
    for (asked, location) in [
        (TokenGrant { ttl_minutes: 0, ..base() }, "ttl"),
        (TokenGrant { ttl_minutes: 43_201, ..base() }, "ttl"),
        (TokenGrant { resources: Scopes::default(), ..base() }, "permissions"),
        (TokenGrant { resources: channels(&[("room", Bits::NONE)]), ..base() }, "permissions"),
        (TokenGrant { uuid: Some("a\nb".into()), ..base() }, "permissions.uuid"),
        (name(""), "permissions.resources.channels."),
        (name(&long), &format!("permissions.resources.channels.{long}")),
        (pattern("^a("), "permissions.patterns.channels.^a("),
        (pattern("a)|(b"), "permissions.patterns.channels.a)|(b"),
        (pattern("(?x)a # b"), "permissions.patterns.channels.(?x)a # b"),
        (pattern("(?=a)"), "permissions.patterns.channels.(?=a)"),
        (
            TokenGrant { patterns: Scopes { groups: scope(&[("[", read)]), ..Scopes::default() }, ..base() },
            "permissions.patterns.groups.[",
        ),
    ] {
        let error = grant(&access, &asked).unwrap_err();
        assert_eq!(error.location().as_deref(), Some(location), "{error:?}");
    }
    let big = grant(&access, &pattern(r"(\w{1,500}){1,500}")).unwrap_err();
    assert!(matches!(big, GrantError::Pattern { problem: PatternProblem::TooBig, .. }), "{big:?}");
    let meta = [("a".into(), "x".repeat(30_000).into())].into_iter().collect();
    assert_eq!(grant(&access, &TokenGrant { meta, ..base() }), Err(GrantError::TooLong));
    let demo = access.keyset("demo").unwrap();
    assert_eq!(access.grant_token(&demo, &base(), NOW), Err(GrantError::NoSecretKey));
    assert!(grant(&access, &pattern(r"^\w{1,64}$")).is_ok());
}

#[test]
fn as_many_tokens_are_revoked_as_may_be() {
    let access = Access::load(vec![org(&format!("{ACME}\n[limits]\nrevoked_tokens_max = 2"))]).unwrap();
    let keyset = keyset(&access);
    let revoke = |now| {
        let token = access.grant_token(&keyset, &reads_room(), now).unwrap();
        access.revoke_token(&keyset, &token, now)
    };
    revoke(NOW).unwrap();
    revoke(after_minutes(1)).unwrap();
    assert_eq!(revoke(after_minutes(2)), Err(RevokeError::TooMany));
    // The first is over by itself.
    revoke(after_minutes(15)).unwrap();
    assert_eq!(revoke(after_minutes(15)), Err(RevokeError::TooMany));
}

#[test]
fn tokens_are_read_whether_or_not_they_are_remembered() {
    for bytes_max in [0, 5_000, 1_000_000] {
        let limits = format!("{ACME}\n[limits]\ntokens_remembered_bytes_max = {bytes_max}");
        let access = Access::load(vec![org(&limits)]).unwrap();
        let names: Vec<String> = (0..20).map(|number| format!("room-{number}")).collect();
        let grants = names.iter().map(|name| {
            let resources = channels(&[(name, Bits::READ)]);
            grant(&access, &TokenGrant { resources, ..reads_room() }).unwrap()
        });
        let tokens: Vec<String> = grants.collect();
        for _ in 0..3 {
            for (name, token) in names.iter().zip(&tokens) {
                let permit = permit(&access, Some(token), NOW).unwrap();
                permit.check(Resource::Channel(name), Bits::READ).unwrap();
                permit.check(Resource::Channel("room"), Bits::READ).unwrap_err();
            }
        }
    }
}

#[test]
fn nothing_shows_a_token() {
    let access = access();
    let token = grant(&access, &reads_room()).unwrap();
    let presented = Presented { auth: Some(&token), uuid: None, signed: Signed::No };
    let permit = access.permit(&keyset(&access), &presented, NOW).unwrap();
    let shown = format!("{presented:?} {permit:?} {access:?}");
    assert!(!shown.contains(&token[..20]), "{shown}");
}
