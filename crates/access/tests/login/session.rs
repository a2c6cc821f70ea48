use antiphon_access::{AuthError, Revoke, is_session_token};

use super::*;

#[test]
fn a_session_token_is_a_credential_until_it_ends() {
    let access = scala();
    let logged_in = test_device(&access);
    let session = access.session(&logged_in.token, at(NOW)).unwrap();
    assert_eq!(session.connection, logged_in.connection);
    assert_eq!(session.expires, logged_in.expires);
    assert_eq!(&*session.caller.unwrap().identity.id, "test-uuid");
    for presented in [logged_in.token.clone(), format!("Bearer {}", logged_in.token)] {
        // The token's word counts, not the client's.
        let caller = access.authenticate(Some(&presented), Some("mallory"), at(NOW)).unwrap();
        assert_eq!(&*caller.identity.id, "test-uuid");
        assert!(access.session(&presented, at(NOW)).is_ok());
    }
    assert!(access.session(&logged_in.token, Timestamp(logged_in.expires.0 - 1)).is_ok());
    assert_eq!(access.session(&logged_in.token, logged_in.expires).err(), Some(AuthError::Expired));
    let authenticated = access.authenticate(Some(&logged_in.token), None, logged_in.expires);
    assert_eq!(authenticated.err(), Some(AuthError::Expired));
}

#[test]
fn a_refreshed_token_is_of_the_same_connection() {
    let access = scala();
    let first = test_device(&access);
    let now = at(NOW + 20 * 60);
    let second = access.refresh(&first.token, LIFETIME, now).unwrap();
    assert_eq!(second.connection, first.connection);
    assert_eq!((&second.name, &second.org, second.kind), (&first.name, &first.org, first.kind));
    assert_eq!(second.expires, at(NOW + 50 * 60));
    for token in [&first.token, &second.token] {
        assert_eq!(access.session(token, now).unwrap().connection, first.connection);
    }
    let third = access.refresh(&format!("Bearer {}", second.token), LIFETIME, at(NOW + 40 * 60)).unwrap();
    assert_eq!(third.connection, first.connection);
    let late = access.refresh(&first.token, LIFETIME, first.expires);
    assert_eq!(late.err(), Some(LoginError::Session(AuthError::Expired)));
    assert_ne!(test_device(&access).connection, first.connection);
}

#[test]
fn lifetimes_are_rounded_up_to_a_second() {
    let access = scala();
    let token = signed_with("test-secret", &device("test-uuid", json!({})));
    let now = Timestamp(at(NOW).0 + 1);
    let logged_in = access.login(&Login::Signed(&token), Duration::from_secs(1), now).unwrap();
    assert_eq!(logged_in.expires, at(NOW + 2));
    let forever = access.login(&Login::Signed(&token), Duration::MAX, now).unwrap();
    assert!(access.session(&forever.token, at(NOW * 100)).is_ok());
}

#[test]
fn a_restricted_token_may_subscribe_and_no_more() {
    let access = scala();
    let logged_in = test_device(&access);
    let restricted = caller(&access, &logged_in.restricted_token);
    for permission in Permission::ALL {
        let expected = permission == Permission::Subscribe;
        assert_eq!(may(&restricted, permission, "room", ChannelFlags::NONE), expected, "{permission}");
    }
    let session = access.session(&logged_in.restricted_token, at(NOW)).unwrap();
    assert_eq!(session.connection, logged_in.connection);
    assert!(!may(&session.caller.unwrap(), Permission::Publish, "room", ChannelFlags::NONE));
    let refreshed = access.refresh(&logged_in.restricted_token, LIFETIME, at(NOW));
    assert_eq!(refreshed.err(), Some(LoginError::Restricted));
}

#[test]
fn a_restricted_token_may_not_what_its_credential_may_not() {
    let settings = r#"
        name = "scala"
        [[device]]
        uuid = "test-uuid"
        secret = "test-secret"
        allow = ["subscribe", "publish"]
        channels = ["room.*"]
        [[device]]
        uuid = "speaker"
        secret = "test-secret"
        allow = ["publish"]
        [[device]]
        uuid = "operator"
        secret = "test-secret"
        allow = ["admin"]
    "#;
    let access = Access::load(vec![org(settings)]).unwrap();
    let restricted = |uuid: &str| {
        let logged_in = log_in(&access, &signed_with("test-secret", &device(uuid, json!({})))).unwrap();
        (caller(&access, &logged_in.token), caller(&access, &logged_in.restricted_token))
    };
    let may = |caller: &Caller, permission, name| may(caller, permission, name, ChannelFlags::NONE);
    let (device, listener) = restricted("test-uuid");
    assert!(may(&device, Permission::Publish, "room.1") && !may(&device, Permission::Publish, "lobby"));
    assert!(
        may(&listener, Permission::Subscribe, "room.1") && !may(&listener, Permission::Subscribe, "lobby")
    );
    let (speaker, listener) = restricted("speaker");
    assert!(may(&speaker, Permission::Publish, "room.1") && !may(&listener, Permission::Subscribe, "room.1"));
    let (operator, listener) = restricted("operator");
    assert!(operator.is_admin() && !listener.is_admin());
    assert!(may(&listener, Permission::Subscribe, "room.1") && !may(&listener, Permission::Admin, "room.1"));
}

#[test]
fn tokens_are_of_the_key_that_signed_them() {
    let (access, another) = (scala(), scala());
    let logged_in = test_device(&access);
    assert_eq!(another.session(&logged_in.token, at(NOW)).err(), Some(AuthError::BadSignature));
    access.set_session_key([7; 32]);
    another.set_session_key([7; 32]);
    assert_eq!(access.session(&logged_in.token, at(NOW)).err(), Some(AuthError::BadSignature));
    // A server that starts again with the key of before takes the tokens of before.
    let logged_in = test_device(&access);
    assert_eq!(another.session(&logged_in.token, at(NOW)).unwrap().connection, logged_in.connection);
}

#[test]
fn a_token_is_known_by_its_shape_alone() {
    let access = scala();
    let logged_in = test_device(&access);
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let forged =
        format!("{}.{}.AAAA", part(json!({"alg": "HS256", "kid": "antiphon-session"})), part(json!({})));
    for (token, expected) in [
        (logged_in.token.as_str(), true),
        (&logged_in.restricted_token, true),
        (&forged, true),
        (&signed_with("test-secret", &device("test-uuid", json!({}))), false),
        ("", false),
        ("an-api-key", false),
        ("a.b.c", false),
    ] {
        assert_eq!(is_session_token(token), expected, "{token}");
    }
    for token in [&forged, "", "an-api-key", "a.b.c", &"x".repeat(10_000)] {
        assert!(access.session(token, at(NOW)).is_err(), "{token}");
        assert!(access.refresh(token, LIFETIME, at(NOW)).is_err(), "{token}");
    }
}

/// Whatever a token says, the server's signature has to be under it.
#[test]
fn nobody_else_signs_sessions() {
    let access = scala();
    let token = test_device(&access).token;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["sub"] = "somebody-else".into();
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": "antiphon-session"}).to_string());
    let sign = |signed: &str, key: &[u8]| {
        let key = EncodingKey::from_secret(key);
        jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap()
    };
    for signature in [signature, "", &sign(&format!("{header}.{payload}"), b"test-secret")] {
        for header in [header, &none] {
            let forged = format!("{header}.{payload}.{signature}");
            assert_eq!(access.session(&forged, at(NOW)).err(), Some(AuthError::BadSignature), "{forged}");
        }
    }
}

#[test]
fn a_revoked_session_ends_with_all_of_its_tokens() {
    let access = scala();
    let (first, other) = (test_device(&access), test_device(&access));
    let second = access.refresh(&first.token, LIFETIME, at(NOW + 1)).unwrap();
    let (caller, stays) = (caller(&access, &second.token), caller(&access, &other.token));
    access.revoke(&OrgId::new("scala"), Revoke::Token(&first.token), at(NOW + 2)).unwrap();
    assert!(caller.has_expired(at(NOW + 2)) && !stays.has_expired(at(NOW + 2)));
    for token in [&first.token, &second.token, &first.restricted_token] {
        assert_eq!(access.session(token, at(NOW + 2)).err(), Some(AuthError::TokenRevoked));
        assert_eq!(access.authenticate(Some(token), None, at(NOW + 2)).err(), Some(AuthError::TokenRevoked));
    }
    let refreshed = access.refresh(&second.token, LIFETIME, at(NOW + 2));
    assert_eq!(refreshed.err(), Some(LoginError::Session(AuthError::TokenRevoked)));
    assert!(access.session(&other.token, at(NOW + 2)).is_ok());
    let everything = Revoke::Identity { name: "test-uuid", issued_before: at(NOW + 3) };
    access.revoke(&OrgId::new("scala"), everything, at(NOW + 3)).unwrap();
    assert!(stays.has_expired(at(NOW + 3)));
    assert_eq!(access.session(&other.token, at(NOW + 3)).err(), Some(AuthError::TokenRevoked));
}
