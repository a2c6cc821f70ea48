//! Tokens that are revoked: one, a session, all of an identity; and what becomes of their callers.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

use antiphon_access::{
    Access, AuthError, Caller, JwtAlgorithm, JwtSettings, LimitSettings, NumericDate, OrgSettings,
    Permission, Revoke, RevokeError, Secret, TokenClaims, mint,
};
use antiphon_model::{OrgId, Timestamp};

const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * Timestamp::PER_SECOND)
}

fn org(name: &str) -> OrgSettings {
    let jwt = JwtSettings {
        algorithm: Some(JwtAlgorithm::HS256),
        secret: Some(Secret::new(&format!("a-secret-of-{name}-for-tests-only-32"))),
        allow: vec![Permission::Subscribe],
        require_exp: false,
        ..JwtSettings::default()
    };
    let limits = LimitSettings { revoked_tokens_max: 2, ..LimitSettings::default() };
    OrgSettings { name: name.into(), jwt: vec![jwt], limits, ..OrgSettings::default() }
}

fn access() -> Access {
    Access::load(vec![org("acme"), org("other")]).unwrap()
}

fn token(name: &str, sub: &str, iat: u64, exp: Option<u64>) -> String {
    let date = |seconds| NumericDate(at(seconds));
    let claims = TokenClaims {
        sub: Some(sub.into()),
        iat: Some(date(iat)),
        exp: exp.map(date),
        ..TokenClaims::default()
    };
    mint(&org(name), None, &claims).unwrap()
}

fn enter(access: &Access, token: &str) -> Result<Caller, AuthError> {
    access.authenticate(Some(token), None, at(NOW))
}

fn acme() -> OrgId {
    OrgId::new("acme")
}

#[test]
fn a_revoked_token_is_refused_and_its_callers_end() {
    let access = access();
    let (one, other) = (token("acme", "ann", NOW, Some(NOW + 60)), token("acme", "ann", NOW, Some(NOW + 61)));
    let (first, second) = (enter(&access, &one).unwrap(), enter(&access, &one).unwrap());
    let stays = enter(&access, &other).unwrap();
    let revoked = access.revoke(&acme(), Revoke::Token(&one), at(NOW)).unwrap();
    assert_eq!((revoked.until, revoked.identity.is_none()), (Some(at(NOW + 60)), true));
    assert!(first.has_expired(at(NOW)) && second.has_expired(at(NOW)) && !stays.has_expired(at(NOW)));
    assert_eq!(enter(&access, &one).unwrap_err(), AuthError::TokenRevoked);
    assert!(enter(&access, &other).is_ok());
    assert_eq!(access.revoked(&acme()), [revoked]);
    assert_eq!(access.revoked(&OrgId::new("other")), []);
}

#[test]
fn all_tokens_of_an_identity_that_were_made_before_are_refused() {
    let access = access();
    let (old, new) = (token("acme", "ann", NOW - 10, None), token("acme", "ann", NOW, None));
    let bob = token("acme", "bob", NOW - 10, None);
    let caller = enter(&access, &old).unwrap();
    access.revoke(&acme(), Revoke::Identity { name: "ann", issued_before: at(NOW) }, at(NOW)).unwrap();
    assert!(caller.has_expired(at(NOW)));
    assert_eq!(enter(&access, &old).unwrap_err(), AuthError::TokenRevoked);
    let newer = enter(&access, &new).unwrap();
    assert!(!newer.has_expired(at(NOW)) && enter(&access, &bob).is_ok());
    // An earlier time takes nothing back.
    let earlier = Revoke::Identity { name: "ann", issued_before: at(NOW - 100) };
    let kept = access.revoke(&acme(), earlier, at(NOW)).unwrap();
    assert_eq!(kept.identity.unwrap().issued_before, NumericDate(at(NOW)));
    assert_eq!(enter(&access, &old).unwrap_err(), AuthError::TokenRevoked);
    // A token that does not say when it was made may have been made before.
    let undated =
        mint(&org("acme"), None, &TokenClaims { sub: Some("ann".into()), ..TokenClaims::default() }).unwrap();
    assert_eq!(enter(&access, &undated).unwrap_err(), AuthError::TokenRevoked);
}

#[test]
fn only_valid_tokens_of_the_org_are_revoked() {
    let access = access();
    let revoke = |text: &str| access.revoke(&acme(), Revoke::Token(text), at(NOW)).unwrap_err();
    assert_eq!(revoke(&token("other", "ann", NOW, None)), AuthError::UnknownSigningKey.into());
    assert_eq!(revoke(&token("acme", "ann", NOW, Some(NOW))), AuthError::Expired.into());
    let mut forged = token("acme", "ann", NOW, None);
    forged.replace_range(forged.len() - 4.., "AAAA");
    assert_eq!(revoke(&forged), AuthError::BadSignature.into());
    assert_eq!(revoke("an-api-key"), RevokeError::NoToken);
    assert_eq!(revoke(""), RevokeError::NoToken);
    let nobody = Revoke::Identity { name: "", issued_before: at(NOW) };
    assert_eq!(access.revoke(&acme(), nobody, at(NOW)).unwrap_err(), RevokeError::InvalidIdentity);
    assert_eq!(access.revoked(&acme()), []);
}

#[test]
fn what_is_over_makes_room() {
    let access = access();
    for (sub, exp) in [("ann", NOW + 60), ("bob", NOW + 120)] {
        access.revoke(&acme(), Revoke::Token(&token("acme", sub, NOW, Some(exp))), at(NOW)).unwrap();
    }
    let third = token("acme", "eve", NOW, Some(NOW + 180));
    assert_eq!(access.revoke(&acme(), Revoke::Token(&third), at(NOW)).unwrap_err(), RevokeError::TooMany);
    let identity = Revoke::Identity { name: "eve", issued_before: at(NOW) };
    assert_eq!(access.revoke(&acme(), identity, at(NOW)).unwrap_err(), RevokeError::TooMany);
    assert!(access.revoke(&acme(), Revoke::Token(&third), at(NOW + 60)).is_ok());
}

#[test]
fn what_was_revoked_is_revoked_after_a_restart() {
    let before = access();
    let (ann, bob) = (token("acme", "ann", NOW, Some(NOW + 60)), token("acme", "bob", NOW - 1, None));
    let stored = [
        before.revoke(&acme(), Revoke::Token(&ann), at(NOW)).unwrap(),
        before.revoke(&acme(), Revoke::Identity { name: "bob", issued_before: at(NOW) }, at(NOW)).unwrap(),
    ];
    let after = access();
    for revoked in &stored {
        let (key, value) = revoked.to_stored();
        after.restore_revoked(&acme(), &key, &value, revoked.until).unwrap();
        after.restore_revoked(&OrgId::new("gone"), &key, &value, revoked.until).unwrap();
    }
    for token in [&ann, &bob] {
        assert_eq!(enter(&after, token).unwrap_err(), AuthError::TokenRevoked);
    }
    assert_eq!(after.revoked(&acme()), before.revoked(&acme()));
    assert!(after.restore_revoked(&acme(), "no id", b"", None).is_err());
    assert!(after.restore_revoked(&acme(), &stored[0].id.to_string(), b"{", None).is_err());
}
