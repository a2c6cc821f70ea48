use super::*;
use antiphon_model::{OrgId, Timestamp};

use crate::{Ipv6Prefix, KeySettings, OrgSettings, Permission, Secret, UserSettings};

fn at(millis: u64) -> Monotonic {
    Monotonic(Duration::from_millis(millis))
}

fn network(last: u8) -> Option<Network> {
    Some(Network::of([192, 0, 2, last].into(), Ipv6Prefix::default()))
}

/// One key, and one user with a password whose hash takes no time worth mentioning.
fn access(address: Rate, name: Rate) -> Access {
    let key = KeySettings {
        key: Some(Secret::new("key-of-acme")),
        allow: vec![Permission::Publish],
        channels: vec![antiphon_model::ChannelPattern::new("*")],
        ..KeySettings::default()
    };
    let user = UserSettings {
        username: "ann".into(),
        password: Some(Secret::new("the-right-password")),
        password_hash: None,
        allow: vec![Permission::Publish],
        channels: vec![antiphon_model::ChannelPattern::new("*")],
    };
    let acme =
        OrgSettings { name: "acme".into(), keys: vec![key], users: vec![user], ..OrgSettings::default() };
    Access::load(vec![acme]).unwrap().with_attempts(AttemptSettings {
        failed_credentials_per_address: address,
        failed_logins_per_name: name,
        remembered_max: 100,
    })
}

fn rate(per_second: f64, burst: u32) -> Rate {
    Rate::new(per_second, burst).unwrap()
}

/// What a key comes to: the org it is of, or the error.
fn show(access: &Access, key: &str, from: Option<Network>, millis: u64) -> Result<OrgId, AuthError> {
    access
        .attempt(from, at(millis), || access.authenticate(Some(key), None, Timestamp(0)))
        .map(|caller| caller.org)
}

fn log_in(
    access: &Access,
    (name, password): (&str, &str),
    from: Option<Network>,
    millis: u64,
) -> Result<(), LoginError> {
    let login = Login::Password { username: name, password, organization: None };
    let attempt = access.begin_login(&login, from, at(millis))?;
    let outcome = access.login(&login, Duration::from_secs(60), Timestamp(0));
    attempt.end(&outcome, at(millis));
    outcome.map(drop)
}

fn refused(scope: FailureScope, millis: u64) -> TooManyFailures {
    TooManyFailures { scope, retry_after: Duration::from_millis(millis) }
}

#[test]
fn guesses_from_an_address_are_limited_and_valid_credentials_do_not_count() {
    let access = access(rate(1.0, 3), rate(1.0, 3));
    let acme = || Ok(OrgId::new("acme"));
    for _ in 0..100 {
        assert_eq!(show(&access, "key-of-acme", network(1), 0), acme());
    }
    for _ in 0..3 {
        assert_eq!(show(&access, "guess", network(1), 0), Err(AuthError::UnknownKey));
    }
    let too_many = |millis| Err(AuthError::TooManyFailures(refused(FailureScope::Address, millis)));
    // Nothing is looked at, a valid one neither; and that does not count.
    for _ in 0..10 {
        assert_eq!(show(&access, "guess", network(1), 0), too_many(1000));
        assert_eq!(show(&access, "key-of-acme", network(1), 400), too_many(600));
    }
    assert_eq!(show(&access, "key-of-acme", network(2), 400), acme(), "others are not concerned");
    assert_eq!(show(&access, "key-of-acme", network(1), 1000), acme());
    assert_eq!(show(&access, "guess", network(1), 1000), Err(AuthError::UnknownKey));
    assert_eq!(show(&access, "guess", network(1), 1000), too_many(1000));
}

#[test]
fn who_has_no_address_is_not_counted() {
    let access = access(rate(1.0, 1), rate(1.0, 1));
    for _ in 0..10 {
        assert_eq!(show(&access, "guess", None, 0), Err(AuthError::UnknownKey));
    }
}

#[test]
fn only_what_is_no_credential_is_a_failure() {
    for (error, expected) in [
        (AuthError::UnknownKey, true),
        (AuthError::BadSignature, true),
        (AuthError::MalformedToken("x"), true),
        (AuthError::Missing, false),
        (AuthError::Expired, false),
        (AuthError::Revoked, false),
        (AuthError::Pairing, false),
        (AuthError::InvalidIdentity, false),
        (AuthError::NoRandomness, false),
    ] {
        assert_eq!(error.is_failure(), expected, "{error}");
        assert_eq!(LoginError::Session(error).is_failure(), expected);
    }
    assert!(LoginError::BadCredentials.is_failure() && LoginError::Malformed("x").is_failure());
    assert!(!LoginError::Busy.is_failure() && !LoginError::OrganizationNeeded.is_failure());
}

#[test]
fn failed_logins_are_limited_by_name_whether_it_exists_or_not() {
    for name in ["ann", "nobody"] {
        let access = access(rate(1000.0, 1000), rate(0.5, 2));
        for (from, millis, expected) in [
            (1, 0, LoginError::BadCredentials),
            (2, 0, LoginError::BadCredentials),
            (3, 0, refused(FailureScope::Name, 2000).into()),
            (1, 1500, refused(FailureScope::Name, 500).into()),
            (1, 2000, LoginError::BadCredentials),
            (1, 2000, refused(FailureScope::Name, 2000).into()),
        ] {
            assert_eq!(log_in(&access, (name, "wrong"), network(from), millis), Err(expected), "{name}");
        }
    }
}

#[test]
fn a_login_counts_neither_for_the_name_nor_for_the_address() {
    let access = access(rate(1.0, 1), rate(1.0, 1));
    for _ in 0..3 {
        assert_eq!(log_in(&access, ("ann", "the-right-password"), network(1), 0), Ok(()));
    }
    assert_eq!(log_in(&access, ("ann", "wrong"), network(1), 0), Err(LoginError::BadCredentials));
    assert!(log_in(&access, ("ann", "the-right-password"), network(1), 0).is_err());
}

#[test]
fn strangers_do_not_keep_a_name_out_where_it_has_logged_in_before() {
    let access = access(rate(1000.0, 1000), rate(0.01, 1));
    assert_eq!(log_in(&access, ("ann", "the-right-password"), network(1), 0), Ok(()));
    assert_eq!(log_in(&access, ("ann", "wrong"), network(2), 0), Err(LoginError::BadCredentials));
    let everywhere_else = log_in(&access, ("ann", "the-right-password"), network(3), 0);
    assert_eq!(everywhere_else, Err(refused(FailureScope::Name, 100_000).into()));
    assert_eq!(log_in(&access, ("ann", "the-right-password"), network(1), 0), Ok(()));
    // Guesses from there have a limit too.
    assert_eq!(log_in(&access, ("ann", "wrong"), network(1), 0), Err(LoginError::BadCredentials));
    assert!(matches!(log_in(&access, ("ann", "wrong"), network(1), 0), Err(LoginError::TooManyFailures(_))));
}

#[test]
fn many_at_once_are_not_more_than_many_in_a_row() {
    let access = access(rate(1.0, 2), rate(1.0, 2));
    let login = Login::Password { username: "ann", password: "wrong", organization: None };
    let begin = || access.begin_login(&login, network(1), at(0));
    let (first, second) = (begin().unwrap(), begin().unwrap());
    assert_eq!(begin().unwrap_err(), refused(FailureScope::Address, 1000));
    // One that was given up before it was looked at makes room, one that failed does not.
    drop(first);
    let third = begin().unwrap();
    second.end(&Err(LoginError::BadCredentials), at(0));
    assert!(begin().is_err());
    third.end(&Err(LoginError::Busy), at(0));
    assert!(begin().is_ok());
}

#[test]
fn a_refusal_by_name_does_not_use_up_the_address() {
    let access = access(rate(1.0, 2), rate(1.0, 1));
    let login = |username| Login::Password { username, password: "wrong", organization: None };
    let failed = || Err(LoginError::BadCredentials);
    access.begin_login(&login("ann"), network(1), at(0)).unwrap().end(&failed(), at(0));
    for _ in 0..5 {
        let refused_by_name = refused(FailureScope::Name, 1000);
        assert_eq!(access.begin_login(&login("ann"), network(1), at(0)).unwrap_err(), refused_by_name);
    }
    access.begin_login(&login("bob"), network(1), at(0)).unwrap().end(&failed(), at(0));
    assert_eq!(
        access.begin_login(&login("cem"), network(1), at(0)).unwrap_err(),
        refused(FailureScope::Address, 1000)
    );
}
