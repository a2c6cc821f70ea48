use antiphon_access::{AuthError, Pairing};

use super::*;

/// As the SDKs sign with what they have not got: JavaScript leaves the uuid out, Python sends `_`.
const JS_PAIRING: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoiZGV2aWNlIiwiYWxsb3dQYWlyaW5nIjp0cnVlLCJpYXQiOjE3MDAwMDAwMDAsImV4",
    "cCI6MTcwMDA4NjQwMH0.CB7ECN4K4uQpRiWboGbU-xo0w4yyiL8WWn2wFUfg8q4",
);
const PYTHON_PAIRING: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ1dWlkIjoiXyIsInR5cGUiOiJkZXZpY2UiLCJhbGxvd1BhaXJpbmciOnRydWUsImV4cCI6MTcw",
    "MDAwMDAzMDAwMH0.C60UaRosSAoCNNLCHZdgCbjCcZ3msnIAePF4uedlRbs",
);

fn pairing(uuid: &str, secret: &str) -> String {
    signed_with(secret, &device(uuid, json!({"allowPairing": true})))
}

#[test]
fn a_device_without_a_credential_pairs_if_it_says_so() {
    let access = scala();
    for (token, name) in [
        (JS_PAIRING.to_owned(), None),
        (PYTHON_PAIRING.to_owned(), None),
        (pairing("new-uuid", "_"), Some("new-uuid")),
        (pairing("new-uuid", "new-secret"), Some("new-uuid")),
        // So does one with a wrong secret: nobody learns that the uuid exists.
        (pairing("test-uuid", "wrong-secret"), Some("test-uuid")),
    ] {
        let logged_in = log_in(&access, &token).unwrap();
        assert_eq!((logged_in.pairing, &logged_in.org), (Pairing::Yes, &None));
        assert_eq!((logged_in.kind, logged_in.name.as_deref()), (CredentialKind::Device, name));
        for token in [&logged_in.token, &logged_in.restricted_token] {
            let session = access.session(token, at(NOW)).unwrap();
            assert!(session.caller.is_none());
            assert_eq!((&session.connection, session.expires), (&logged_in.connection, logged_in.expires));
            assert_eq!(access.authenticate(Some(token), None, at(NOW)).err(), Some(AuthError::Pairing));
            // What was presented cannot be read out of the token and presented again.
            let signature = JS_PAIRING.rsplit('.').next().unwrap();
            let claims = antiphon_access::inspect(token).unwrap().claims.to_string();
            assert!(!claims.contains(signature), "{claims}");
        }
    }
}

#[test]
fn pairing_goes_on_until_the_login_would_be_let_in() {
    let access = scala();
    let nameless = log_in(&access, JS_PAIRING).unwrap();
    let existing = log_in(&access, &pairing("test-uuid", "wrong-secret")).unwrap();
    let new = log_in(&access, &pairing("new-uuid", "new-secret")).unwrap();
    let refresh = |token: &str| access.refresh(token, LIFETIME, at(NOW + 60));
    for logged_in in [&nameless, &existing, &new] {
        let refreshed = refresh(&logged_in.token).unwrap();
        assert_eq!((refreshed.pairing, &refreshed.connection), (Pairing::Yes, &logged_in.connection));
        assert_eq!((&refreshed.name, refreshed.expires), (&logged_in.name, at(NOW + 60 + 30 * 60)));
    }
    let later = refresh(&new.token).unwrap();

    add(&access, "scala", CredentialKind::Device, "new-uuid", "another-secret");
    assert!(refresh(&new.token).is_ok());
    add(&access, "scala", CredentialKind::Device, "new-uuid", "new-secret");
    for token in [&new.token, &later.token] {
        assert_eq!(refresh(token).err(), Some(LoginError::Paired));
    }
    assert_eq!(log_in(&access, &pairing("new-uuid", "new-secret")).unwrap().pairing, Pairing::No);
    for logged_in in [&nameless, &existing] {
        assert!(refresh(&logged_in.token).is_ok());
    }
}

#[test]
fn a_pairing_token_ends_like_others() {
    let access = scala();
    let logged_in = log_in(&access, JS_PAIRING).unwrap();
    let end = at(NOW + 30 * 60);
    assert_eq!(access.session(&logged_in.token, end).err(), Some(AuthError::Expired));
    let refreshed = access.refresh(&logged_in.token, LIFETIME, end);
    assert_eq!(refreshed.err(), Some(LoginError::Session(AuthError::Expired)));
    let restricted = access.refresh(&logged_in.restricted_token, LIFETIME, at(NOW));
    assert_eq!(restricted.err(), Some(LoginError::Restricted));
}
