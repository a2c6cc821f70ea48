use antiphon_model::IdentityKind;

use super::*;

/// Of `12345test`, by the reference implementation.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YW50aXBob24tZXhhbXBsZQ$QRdEEMcsevEgTIvp2mgQ36JyhT0j4GB+/LVDAN5KT9Q";

fn user(organization: &str, more: &str) -> OrgSettings {
    org(&format!("name = {organization:?}\n[[user]]\nusername = \"test@test.com\"\n{more}"))
}

fn log_in(access: &Access, login: (&str, &str, Option<&str>)) -> Result<LoggedIn, LoginError> {
    let (username, password, organization) = login;
    access.login(&Login::Password { username, password, organization }, LIFETIME, at(NOW))
}

#[test]
fn a_user_logs_in_with_or_without_the_organization() {
    for settings in
        [user("scala", "password = \"12345test\""), user("scala", &format!("password_hash = {HASH:?}"))]
    {
        let access = Access::load(vec![settings, org("name = \"umbrella\"")]).unwrap();
        for (login, expected) in [
            (("test@test.com", "12345test", None), Ok("scala")),
            (("test@test.com", "12345test", Some("")), Ok("scala")),
            (("test@test.com", "12345test", Some("scala")), Ok("scala")),
            (("test@test.com", "12345test", Some("umbrella")), Err(LoginError::BadCredentials)),
            (("test@test.com", "12345test", Some("nowhere")), Err(LoginError::BadCredentials)),
            (("test@test.com", "12345tesT", None), Err(LoginError::BadCredentials)),
            (("test@test.com", "", None), Err(LoginError::BadCredentials)),
            (("Test@test.com", "12345test", None), Err(LoginError::BadCredentials)),
            (("nobody", "12345test", None), Err(LoginError::BadCredentials)),
            (("", "", None), Err(LoginError::BadCredentials)),
        ] {
            let outcome = log_in(&access, login);
            let org = outcome.map(|logged_in| logged_in.org.unwrap().as_str().to_owned());
            assert_eq!(org, expected.map(str::to_owned), "{login:?}");
        }
        let logged_in = log_in(&access, ("test@test.com", "12345test", None)).unwrap();
        let caller = caller(&access, &logged_in.token);
        assert_eq!((&*caller.identity.id, caller.identity.kind), ("test@test.com", IdentityKind::User));
        assert_eq!(logged_in.kind, CredentialKind::User);
    }
}

#[test]
fn a_user_of_several_organizations_has_to_say_which() {
    let password = "password = \"12345test\"";
    let access = Access::load(vec![user("umbrella", password), user("scala", password)]).unwrap();
    let outcome = |login| log_in(&access, login).map(|logged_in| logged_in.org.unwrap());
    assert_eq!(outcome(("test@test.com", "12345test", None)), Err(LoginError::OrganizationNeeded));
    assert_eq!(outcome(("test@test.com", "wrong-password", None)), Err(LoginError::BadCredentials));
    for organization in ["umbrella", "scala"] {
        let login = ("test@test.com", "12345test", Some(organization));
        assert_eq!(outcome(login), Ok(OrgId::new(organization)));
    }
}

#[test]
fn sessions_end_when_the_password_changes() {
    let access = Access::load(vec![org("name = \"scala\"")]).unwrap();
    add(&access, "scala", CredentialKind::User, "zoe", "12345test");
    let logged_in = log_in(&access, ("zoe", "12345test", None)).unwrap();
    assert!(access.session(&logged_in.token, at(NOW)).is_ok());
    add(&access, "scala", CredentialKind::User, "zoe", "another-password");
    assert!(access.session(&logged_in.token, at(NOW)).is_err());
    assert_eq!(log_in(&access, ("zoe", "12345test", None)).err(), Some(LoginError::BadCredentials));
    assert!(log_in(&access, ("zoe", "another-password", None)).is_ok());
}
