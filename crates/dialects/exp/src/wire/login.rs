//! What clients log in with, and what they are answered.

use antiphon_access::{CredentialKind, LoggedIn, Login, Pairing};
use serde::{Deserialize, Serialize};

/// The body of a login, of whatever kind: `{"token"}`, or `{"username", "password", "organization"?}`. A `type` beside them says
/// nothing that the rest does not.
#[derive(Deserialize)]
pub(crate) struct LoginBody {
    token: Option<String>,
    username: Option<String>,
    password: Option<String>,
    organization: Option<String>,
}

/// The body has neither a token nor a user name with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a login has a token, or a username and a password")]
pub(crate) struct NoCredential;

impl LoginBody {
    /// What access is asked.
    ///
    /// # Errors
    /// There is nothing to ask it.
    pub(crate) fn login(&self) -> Result<Login<'_>, NoCredential> {
        match (&self.token, &self.username, &self.password) {
            (Some(token), ..) => Ok(Login::Signed(token)),
            (None, Some(username), Some(password)) => Ok(Login::Password {
                username,
                password,
                organization: self.organization.as_deref().filter(|name| !name.is_empty()),
            }),
            _ => Err(NoCredential),
        }
    }
}

/// The answer to a login and to a refresh. All members are always there that some SDK reads; the later ones do with fewer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    token: &'a str,
    /// Milliseconds since the Unix epoch.
    expiration: u64,
    identity: Identity<'a>,
    restricted_token: &'a str,
    api: Service<'a>,
    network: Service<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Of a device or an app; null for a device that is pairing and has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<Option<&'a str>>,
    /// Of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Option<&'a str>>,
    /// Null while pairing.
    organization: Option<&'a str>,
    /// Roles are no part of the network: null.
    role: Option<&'static str>,
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_pairing: Option<bool>,
}

#[derive(Clone, Copy, Serialize)]
struct Service<'a> {
    host: &'a str,
}

/// The answer to a login; `host` is the address of the server, without a slash at the end.
pub(crate) fn answer(logged_in: &LoggedIn, host: &str) -> Vec<u8> {
    let name = Some(logged_in.name.as_deref());
    let is_user = logged_in.kind == CredentialKind::User;
    let answer = Answer {
        token: &logged_in.token,
        expiration: logged_in.expires.as_millis(),
        identity: Identity {
            kind: kind(logged_in.kind),
            uuid: name.filter(|_| !is_user),
            username: name.filter(|_| is_user),
            organization: logged_in.org.as_ref().map(antiphon_model::OrgId::as_str),
            role: None,
            connection_id: logged_in.connection.as_str(),
            is_pairing: (logged_in.pairing == Pairing::Yes).then_some(true),
        },
        restricted_token: &logged_in.restricted_token,
        api: Service { host },
        network: Service { host },
    };
    // Strings, numbers and booleans are always serializable.
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// The word for a kind of credential on this wire.
fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Device => "device",
        CredentialKind::ConsumerApp => "consumerApp",
        CredentialKind::User => "user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(body: &str) -> Option<String> {
        let body: LoginBody = serde_json::from_str(body).ok()?;
        Some(match body.login().ok()? {
            Login::Signed(token) => format!("signed {token}"),
            Login::Password { username, password, organization } => {
                format!("{username} {password} {organization:?}")
            }
        })
    }

    #[test]
    fn logins_of_every_sdk() {
        for (body, expected) in [
            (
                r#"{"type":"user","username":"a@b.c","password":"1 é","organization":"scala"}"#,
                Some("a@b.c 1 é Some(\"scala\")"),
            ),
            (r#"{"username":"a","password":"b","organization":null}"#, Some("a b None")),
            (r#"{"username":"a","password":"b","organization":""}"#, Some("a b None")),
            (r#"{"username":"a","password":""}"#, Some("a  None")),
            (r#"{"token":"x.y.z"}"#, Some("signed x.y.z")),
            (r#"{"type":"device","token":"x.y.z","username":null}"#, Some("signed x.y.z")),
            (r#"{"username":"a"}"#, None),
            (r#"{"type":"user"}"#, None),
            (r#"{"token":7}"#, None),
            (r#"{"token":null}"#, None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(described(body).as_deref(), expected, "{body}");
        }
    }
}
