//! The open org lets anybody in under a name that is nobody's.

use antiphon_access::{AuthError, Pairing};
use antiphon_model::IdentityKind;

use super::*;

fn password_login(
    access: &Access,
    username: &str,
    organization: Option<&str>,
) -> Result<LoggedIn, LoginError> {
    let login = Login::Password { username, password: "any", organization };
    access.login(&login, LIFETIME, at(NOW))
}

#[test]
fn a_name_that_is_nobodys_is_let_in() {
    let access = with_demo();
    for (claims, kind) in [
        (device("some-uuid", json!({})), IdentityKind::Device),
        (device("some-uuid", json!({"allowPairing": true})), IdentityKind::Device),
        (device("some-uuid", json!({"type": "consumerApp"})), IdentityKind::ConsumerApp),
        // Nothing is checked at all.
        (device("some-uuid", json!({"exp": 1})), IdentityKind::Device),
    ] {
        let logged_in = log_in(&access, &signed_with("any", &claims)).unwrap();
        assert_eq!((logged_in.org, logged_in.pairing), (Some(OrgId::new("demo")), Pairing::No));
        let caller = caller(&access, &logged_in.token);
        assert_eq!((&*caller.identity.id, caller.identity.kind), ("some-uuid", kind));
        let flags = ChannelFlags::NONE.with(ChannelFlags::CONSUMER);
        assert!(may(&caller, Permission::Publish, "anything", flags));
        assert!(!may(&caller, Permission::Admin, "anything", flags));
        let refreshed = access.refresh(&logged_in.token, LIFETIME, at(NOW + 60)).unwrap();
        assert_eq!(refreshed.connection, logged_in.connection);
        let listener = self::caller(&access, &logged_in.restricted_token);
        assert!(may(&listener, Permission::Subscribe, "anything", flags));
        assert!(!may(&listener, Permission::Publish, "anything", flags));
    }
    for organization in [None, Some(""), Some("demo")] {
        let logged_in = password_login(&access, "zoe", organization).unwrap();
        assert_eq!(caller(&access, &logged_in.token).identity.kind, IdentityKind::User);
    }
}

#[test]
fn a_name_that_is_somebodys_is_not() {
    let access = with_demo();
    let wrong = signed_with("wrong-secret", &device("test-uuid", json!({})));
    assert_eq!(log_in(&access, &wrong).err(), Some(LoginError::BadCredentials));
    let pairing = signed_with("wrong-secret", &device("test-uuid", json!({"allowPairing": true})));
    assert_eq!(log_in(&access, &pairing).unwrap().pairing, Pairing::Yes);
    let nameless = signed_with("any", &device("_", json!({})));
    assert_eq!(log_in(&access, &nameless).err(), Some(LoginError::BadCredentials));
    for (username, organization) in [
        ("test@test.com", None),
        ("test@test.com", Some("demo")),
        ("zoe", Some("scala")),
        ("zoe", Some("nowhere")),
        ("a\nb", None),
    ] {
        let outcome = password_login(&access, username, organization);
        assert_eq!(outcome.err(), Some(LoginError::BadCredentials), "{username:?} {organization:?}");
    }
    assert_eq!(test_device(&access).org, Some(OrgId::new("scala")));
}

#[test]
fn whoever_came_so_goes_when_somebody_gets_the_name() {
    let access = with_demo();
    let logged_in = password_login(&access, "zoe", None).unwrap();
    assert!(access.session(&logged_in.token, at(NOW)).is_ok());
    add(&access, "scala", CredentialKind::User, "zoe", "12345test");
    assert_eq!(access.session(&logged_in.token, at(NOW)).err(), Some(AuthError::Revoked));
    let refreshed = access.refresh(&logged_in.token, LIFETIME, at(NOW));
    assert_eq!(refreshed.err(), Some(LoginError::Session(AuthError::Revoked)));
    // A server without an open org takes none of its tokens.
    access.set_session_key([7; 32]);
    let logged_in = password_login(&access, "max", None).unwrap();
    let closed = scala();
    closed.set_session_key([7; 32]);
    assert_eq!(closed.session(&logged_in.token, at(NOW)).err(), Some(AuthError::Revoked));
}
