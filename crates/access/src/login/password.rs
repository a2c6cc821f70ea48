//! Logins by user name and password.

use std::sync::Arc;

use antiphon_model::OrgId;

use super::Who;
use crate::access::Tables;
use crate::{Access, CredentialKind, LoginError, password};

impl Access {
    /// Who has this password. Blocks for one hash, whoever it is.
    pub(super) fn user(
        &self,
        tables: &Tables,
        username: &str,
        password: &str,
        organization: Option<&str>,
    ) -> Result<Who, LoginError> {
        let organization = organization.filter(|name| !name.is_empty()).map(OrgId::new);
        let mut users = self.credentials_named(tables, CredentialKind::User, username);
        if users.is_empty()
            && let Some(who) = tables.let_in(CredentialKind::User, username, organization.as_ref())
        {
            return Ok(who);
        }
        if let Some(organization) = &organization {
            users.retain(|user| user.org == *organization);
        }
        // More than one hash would tell a stranger that the name is in several orgs.
        let user = users.iter().min_by(|a, b| a.org.as_str().cmp(b.org.as_str()));
        let fits = password::check(password, user.map(|user| &user.proof)).map_err(|_| LoginError::Busy)?;
        match user.filter(|_| fits) {
            None => Err(LoginError::BadCredentials),
            Some(_) if users.len() > 1 => Err(LoginError::OrganizationNeeded),
            Some(user) => Ok(Who::Holder(Arc::clone(user))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use antiphon_model::Timestamp;

    use crate::password::tests::hashes;
    use crate::{Access, Login, LoginError};

    const ORGS: &str = r#"
        [[org]]
        name = "scala"
        [[org.user]]
        username = "hashed"
        password_hash = "$argon2id$v=19$m=19456,t=2,p=1$YW50aXBob24tZXhhbXBsZQ$QRdEEMcsevEgTIvp2mgQ36JyhT0j4GB+/LVDAN5KT9Q"
        [[org.user]]
        username = "plain"
        password = "12345test"
        [[org]]
        name = "umbrella"
        [[org.user]]
        username = "plain"
        password = "another-password"
    "#;

    /// What a login takes tells nobody which names there are.
    #[test]
    fn an_unknown_user_costs_what_a_wrong_password_costs() {
        #[derive(serde::Deserialize)]
        struct Orgs {
            org: Vec<crate::OrgSettings>,
        }
        let access = Access::load(toml::from_str::<Orgs>(ORGS).unwrap().org).unwrap();
        for (username, organization) in [
            ("hashed", None),
            ("plain", None),
            ("plain", Some("umbrella")),
            ("nobody", None),
            ("", None),
            ("hashed", Some("umbrella")),
            ("hashed", Some("nowhere")),
        ] {
            let before = hashes();
            let login = Login::Password { username, password: "wrong-password", organization };
            let outcome = access.login(&login, Duration::from_secs(60), Timestamp(0));
            assert_eq!(outcome.err(), Some(LoginError::BadCredentials));
            assert_eq!(hashes() - before, 1, "{username:?} {organization:?}");
        }
    }
}
