use antiphon_access::{CredentialKind, Pairing};
use antiphon_model::IdentityKind;
use proptest::prelude::*;

use super::*;

/// As the JavaScript SDK signs at NOW: seconds, `iat` and `exp`.
const JS_DEVICE: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoiZGV2aWNlIiwidXVpZCI6InRlc3QtdXVpZCIsImFsbG93UGFpcmluZyI6dHJ1ZSwi",
    "aWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwODY0MDB9.ZMOG8ytBOC76MV73-eVa-cYEb877mbs_zClzF_vEOVg",
);
const JS_CONSUMER_APP: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoiY29uc3VtZXJBcHAiLCJ1dWlkIjoidGVzdC11dWlkIiwiaWF0IjoxNzAwMDAwMDAw",
    "LCJleHAiOjE3MDAwODY0MDB9.VFA6RkE_ixSNMKwLWG60RSzYtpRIpQBgEPa1auvtgxw",
);
/// As the Python SDK signs: only `exp`, in milliseconds, and `allowPairing` null.
const PYTHON_DEVICE: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ1dWlkIjoidGVzdC11dWlkIiwidHlwZSI6ImRldmljZSIsImFsbG93UGFpcmluZyI6bnVsbCwi",
    "ZXhwIjoxNzAwMDAwMDMwMDAwfQ.-vF2hv0fVbvIHX72Erpy367BJCXt0QMDFOafzGuqFY4",
);

#[test]
fn tokens_of_the_sdks_log_in() {
    let access = scala();
    for (token, kind, identity_kind) in [
        (JS_DEVICE, CredentialKind::Device, IdentityKind::Device),
        (PYTHON_DEVICE, CredentialKind::Device, IdentityKind::Device),
        (JS_CONSUMER_APP, CredentialKind::ConsumerApp, IdentityKind::ConsumerApp),
    ] {
        let logged_in = log_in(&access, token).unwrap();
        assert_eq!((logged_in.kind, logged_in.name.as_deref()), (kind, Some("test-uuid")));
        assert_eq!((logged_in.org, logged_in.pairing), (Some(OrgId::new("scala")), Pairing::No));
        assert_eq!(logged_in.expires, at(NOW + 30 * 60));
        let caller = caller(&access, &logged_in.token);
        assert_eq!((caller.org.as_str(), &*caller.identity.id), ("scala", "test-uuid"));
        assert_eq!((caller.identity.kind, caller.expires), (identity_kind, Some(logged_in.expires)));
        let flags = ChannelFlags::NONE.with(ChannelFlags::CONSUMER);
        assert!(may(&caller, Permission::Publish, "anything", flags));
        let is_device = kind == CredentialKind::Device;
        assert_eq!(may(&caller, Permission::Publish, "anything", ChannelFlags::NONE), is_device);
        assert!(!caller.is_admin());
    }
}

#[test]
fn a_login_has_sixty_seconds_more_than_it_says() {
    let access = scala();
    let outcome = |claims: Value| log_in(&access, &signed_with("test-secret", &claims)).err();
    for (times, expected) in [
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW - 60}), Some(LoginError::Expired)),
        (json!({"exp": (NOW - 59) * 1000}), None),
        (json!({"exp": (NOW - 60) * 1000}), Some(LoginError::Expired)),
        (json!({"exp": NOW as f64 * 1000.0 + 0.5}), None),
        (json!({"exp": null, "iat": NOW - 86_400}), None),
        (json!({"exp": null, "iat": NOW - 86_400 - 60}), Some(LoginError::NeverExpires)),
        (json!({"exp": null, "iat": (NOW - 86_400) * 1000}), None),
        (json!({"exp": null}), Some(LoginError::NeverExpires)),
        (json!({"exp": NOW + 60, "iat": 1}), None),
    ] {
        assert_eq!(outcome(device("test-uuid", times.clone())), expected, "{times}");
    }
    // Who does not know the secret is not told about times.
    let expired = signed_with("wrong-secret", &device("test-uuid", json!({"exp": 1})));
    assert_eq!(log_in(&access, &expired).err(), Some(LoginError::BadCredentials));
}

#[test]
fn unknown_and_wrong_are_told_the_same() {
    let access = scala();
    for (secret, claims) in [
        ("test-api-key", device("test-uuid", json!({}))),
        ("test-secret", device("test-uuid", json!({"type": "consumerApp"}))),
        ("test-secret", device("nobody", json!({}))),
        ("test-secret", device("_", json!({}))),
        ("test-secret", device("a\nb", json!({}))),
        ("test-secret", device("", json!({"uuid": null}))),
        ("test-secret", device("test@test.com", json!({}))),
        ("_", device("test-uuid", json!({}))),
        // Apps do not pair.
        ("_", device("test-uuid", json!({"type": "consumerApp", "allowPairing": true}))),
    ] {
        let outcome = log_in(&access, &signed_with(secret, &claims));
        assert_eq!(outcome.err(), Some(LoginError::BadCredentials), "{claims}");
    }
}

#[test]
fn what_no_sdk_writes_is_malformed() {
    let access = scala();
    let malformed = |token: &str| matches!(log_in(&access, token), Err(LoginError::Malformed(_)));
    for more in [
        json!({"type": "user"}),
        json!({"type": null}),
        json!({"uuid": 7}),
        json!({"exp": "soon"}),
        json!({"allowPairing": "yes"}),
    ] {
        assert!(malformed(&signed_with("test-secret", &device("test-uuid", more.clone()))), "{more}");
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(device("test-uuid", json!({})));
    for header in [json!({"alg": "none"}), json!({"alg": "RS256"}), json!({"alg": "HS256", "crit": ["b64"]})]
    {
        assert!(malformed(&format!("{}.{claims}.", part(header.clone()))), "{header}");
    }
    for token in ["", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(3000)] {
        assert!(malformed(token), "{token}");
    }
    assert!(!malformed(&format!("{}.{claims}.", part(json!({"alg": "HS256"})))));
}

#[test]
fn the_org_is_the_one_whose_secret_it_is() {
    let umbrella = "name = \"umbrella\"\n[[device]]\nuuid = \"test-uuid\"\nsecret = \"other-secret\"";
    let access = Access::load(vec![org(SCALA), org(umbrella)]).unwrap();
    for (secret, expected) in [("test-secret", "scala"), ("other-secret", "umbrella")] {
        let token = signed_with(secret, &device("test-uuid", json!({})));
        let logged_in = log_in(&access, &token).unwrap();
        assert_eq!(logged_in.org, Some(OrgId::new(expected)));
        assert_eq!(caller(&access, &logged_in.token).org.as_str(), expected);
    }
}

#[test]
fn a_secret_alone_is_no_credential() {
    let access = scala();
    for secret in ["test-secret", "test-api-key", "12345test", JS_DEVICE] {
        assert!(access.authenticate(Some(secret), None, at(NOW)).is_err(), "{secret}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let access = scala();
    let logged_in = log_in(&access, JS_DEVICE).unwrap();
    let login = Login::Password { username: "a", password: "12345test", organization: None };
    let shown = format!("{access:?} {logged_in:?} {login:?} {:?}", Login::Signed(JS_DEVICE));
    for secret in ["12345test", "test-secret", JS_DEVICE, &logged_in.token, &logged_in.restricted_token] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!logged_in.token.contains(&URL_SAFE_NO_PAD.encode("test-secret")));
}

proptest! {
    #[test]
    fn any_change_of_a_token_is_refused(at in 0..JS_DEVICE.len(), byte in any::<char>()) {
        let access = scala();
        let mut token: Vec<char> = JS_DEVICE.chars().collect();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        // It may still pair: that is what wrong ones do.
        let outcome = log_in(&access, &token.into_iter().collect::<String>());
        prop_assert!(outcome.is_err() || outcome.unwrap().pairing == Pairing::Yes);
    }

    #[test]
    fn any_text_is_survived(token in "\\PC{0,80}") {
        let access = scala();
        prop_assert!(log_in(&access, &token).is_err());
        prop_assert!(access.session(&token, at(NOW)).is_err());
        prop_assert!(access.refresh(&token, LIFETIME, at(NOW)).is_err());
        prop_assert!(!antiphon_access::is_session_token(&token));
    }
}
