//! Credentials that come and go while the server runs.

use antiphon_access::{AuthError, CredentialError, CredentialInfo, CredentialSource};

use super::*;

const DEVICE: CredentialKind = CredentialKind::Device;

fn new(kind: CredentialKind, name: &str, secret: &str) -> Credential {
    Credential::new(kind, name, &Secret::new(secret), None, None).unwrap()
}

fn device_named(access: &Access, uuid: &str, secret: &str) -> Result<LoggedIn, LoginError> {
    log_in(access, &signed_with(secret, &device(uuid, json!({}))))
}

#[test]
fn a_credential_is_good_from_when_it_is_added_until_it_is_removed() {
    let (access, scala) = (scala(), OrgId::new("scala"));
    assert!(device_named(&access, "new", "new-secret").is_err());
    add(&access, "scala", DEVICE, "new", "new-secret");
    let logged_in = device_named(&access, "new", "new-secret").unwrap();
    let caller = caller(&access, &logged_in.token);
    access.reload().unwrap();
    assert!(!caller.has_expired(at(NOW)) && access.session(&logged_in.token, at(NOW)).is_ok());
    // Another of the same name is another.
    assert_eq!(
        access.remove_credential(&scala, CredentialKind::ConsumerApp, "new"),
        Err(CredentialError::NotFound)
    );
    assert!(!caller.has_expired(at(NOW)));

    access.remove_credential(&scala, DEVICE, "new").unwrap();
    assert!(caller.has_expired(at(NOW)));
    assert_eq!(access.session(&logged_in.token, at(NOW)).err(), Some(AuthError::Revoked));
    let authenticated = access.authenticate(Some(&logged_in.token), None, at(NOW));
    assert_eq!(authenticated.err(), Some(AuthError::Revoked));
    let refreshed = access.refresh(&logged_in.token, LIFETIME, at(NOW));
    assert_eq!(refreshed.err(), Some(LoginError::Session(AuthError::Revoked)));
    assert_eq!(device_named(&access, "new", "new-secret").err(), Some(LoginError::BadCredentials));
    assert_eq!(access.remove_credential(&scala, DEVICE, "new"), Err(CredentialError::NotFound));
}

#[test]
fn a_replaced_credential_ends_its_callers_and_another_secret_its_tokens() {
    let (access, scala) = (scala(), OrgId::new("scala"));
    add(&access, "scala", DEVICE, "new", "new-secret");
    let logged_in = device_named(&access, "new", "new-secret").unwrap();
    let first = caller(&access, &logged_in.token);
    let allow = Some(vec![Permission::Subscribe]);
    let same_secret = Credential::new(DEVICE, "new", &Secret::new("new-secret"), allow, None).unwrap();
    assert_eq!(access.check_credential(&scala, &same_secret), Err(CredentialError::Exists));
    access.add_credential(&scala, same_secret).unwrap();
    assert!(first.has_expired(at(NOW)));
    let second = caller(&access, &logged_in.token);
    assert!(!second.has_expired(at(NOW)));
    assert!(!may(&second, Permission::Publish, "room", ChannelFlags::NONE));

    add(&access, "scala", DEVICE, "new", "another-secret");
    assert!(second.has_expired(at(NOW)));
    assert_eq!(access.session(&logged_in.token, at(NOW)).err(), Some(AuthError::Revoked));
}

#[test]
fn the_configuration_has_the_last_word() {
    let (access, scala) = (scala(), OrgId::new("scala"));
    let credential = new(DEVICE, "test-uuid", "another-secret");
    for outcome in [
        access.check_credential(&scala, &credential),
        access.add_credential(&scala, credential.clone()),
        access.remove_credential(&scala, DEVICE, "test-uuid"),
    ] {
        assert_eq!(outcome, Err(CredentialError::InConfiguration));
    }
    let nowhere = OrgId::new("nowhere");
    assert_eq!(access.check_credential(&nowhere, &credential), Err(CredentialError::UnknownOrg));
    assert_eq!(access.add_credential(&nowhere, credential), Err(CredentialError::UnknownOrg));
    assert!(test_device(&access).org.is_some());
}

#[test]
fn two_orgs_cannot_have_the_same_secret_for_the_same_name() {
    let access = Access::load(vec![org(SCALA), org("name = \"umbrella\"")]).unwrap();
    let umbrella = OrgId::new("umbrella");
    let check = |name: &str, secret: &str| access.check_credential(&umbrella, &new(DEVICE, name, secret));
    assert_eq!(check("test-uuid", "test-secret"), Err(CredentialError::SharedSecret));
    assert_eq!(check("test-uuid", "another-secret"), Ok(()));
    assert_eq!(check("another", "test-secret"), Ok(()));
    add(&access, "scala", DEVICE, "stored", "new-secret");
    let outcome = access.add_credential(&umbrella, new(DEVICE, "stored", "new-secret"));
    assert_eq!(outcome, Err(CredentialError::SharedSecret));
    // Users of two orgs may have the same password: they name the organization.
    add(&access, "umbrella", CredentialKind::User, "test@test.com", "12345test");
}

#[test]
fn an_org_has_only_so_many() {
    let settings =
        "name = \"scala\"\n[limits]\ncredentials_max = 2\n[[device]]\nuuid = \"a\"\nsecret = \"test-secret\"";
    let access = Access::load(vec![org(settings), org("name = \"umbrella\"")]).unwrap();
    let scala = OrgId::new("scala");
    add(&access, "scala", DEVICE, "b", "test-secret");
    let more = new(DEVICE, "c", "test-secret");
    assert_eq!(access.check_credential(&scala, &more), Err(CredentialError::TooMany));
    assert_eq!(access.add_credential(&scala, more.clone()), Err(CredentialError::TooMany));
    // One for one is no more, and another org has its own.
    add(&access, "scala", DEVICE, "b", "other-secret");
    add(&access, "umbrella", DEVICE, "c", "other-secret");
    access.remove_credential(&scala, DEVICE, "b").unwrap();
    assert_eq!(access.add_credential(&scala, more), Ok(()));
}

#[test]
fn credentials_are_listed_without_their_secrets() {
    let access = Access::load(vec![org(SCALA), org("name = \"umbrella\"")]).unwrap();
    let channels = Some(vec![antiphon_model::ChannelPattern::new("room.*")]);
    let allow = Some(vec![Permission::Subscribe]);
    let secret = Secret::new("new-secret");
    let credential = Credential::new(DEVICE, "a-device", &secret, allow, channels).unwrap();
    access.add_credential(&OrgId::new("scala"), credential).unwrap();
    add(&access, "umbrella", DEVICE, "not-ours", "new-secret");
    let infos = access.credentials(&OrgId::new("scala"));
    let shown: Vec<_> = infos.iter().map(|info| (info.kind.as_str(), &*info.name, info.source)).collect();
    let (configuration, store) = (CredentialSource::Configuration, CredentialSource::Store);
    let expected = [
        ("device", "a-device", store),
        ("device", "test-uuid", configuration),
        ("consumer_app", "test-uuid", configuration),
        ("user", "test@test.com", configuration),
    ];
    assert_eq!(shown, expected);
    assert_eq!(
        serde_json::to_value(&infos[0]).unwrap(),
        json!({"kind": "device", "name": "a-device", "source": "store", "allow": ["subscribe"], "channels": ["room.*"]})
    );
    let all = serde_json::to_string::<Vec<CredentialInfo>>(&infos).unwrap();
    for secret in ["new-secret", "test-secret", "test-api-key", "12345test"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert!(access.credentials(&OrgId::new("nowhere")).is_empty());
}

#[test]
fn a_reload_ends_the_sessions_of_secrets_that_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "file-secret\n").unwrap();
    let toml = format!("{SCALA}\n[[device]]\nuuid = \"in-file\"\nsecret_file = {path:?}");
    let access = Access::load(vec![org(&toml)]).unwrap();
    let [changed, same] = [
        device_named(&access, "in-file", "file-secret").unwrap(),
        device_named(&access, "test-uuid", "test-secret").unwrap(),
    ];
    let [changed_caller, same_caller] = [&changed, &same].map(|it| caller(&access, &it.token));
    access.reload().unwrap();
    assert!(!changed_caller.has_expired(at(NOW)) && !same_caller.has_expired(at(NOW)));

    std::fs::write(&path, "other-file-secret").unwrap();
    access.reload().unwrap();
    assert!(changed_caller.has_expired(at(NOW)) && !same_caller.has_expired(at(NOW)));
    assert_eq!(access.session(&changed.token, at(NOW)).err(), Some(AuthError::Revoked));
    assert!(access.session(&same.token, at(NOW)).is_ok());
    assert!(device_named(&access, "in-file", "other-file-secret").is_ok());

    std::fs::write(&path, "short").unwrap();
    assert!(access.reload().is_err());
    assert!(device_named(&access, "in-file", "other-file-secret").is_ok());
}
