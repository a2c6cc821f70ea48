//! A credential that an operator adds.

use antiphon_access::{Credential, CredentialKind, InvalidCredential, Permission, Secret};
use antiphon_model::ChannelPattern;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};

/// The longest body: a hundred patterns of the longest channel names.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 10;

/// Random bytes of a secret that the server makes up.
const SECRET_BYTES: usize = 32;

/// A credential as an operator asks for it. Its `Debug` does not show the secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCredential {
    /// What sort of client has it.
    pub(crate) kind: CredentialKind,
    /// The uuid of a device or an app, the user name of a user.
    pub(crate) name: String,
    #[serde(default, deserialize_with = "secret")]
    secret: Option<Secret>,
    allow: Option<Vec<Permission>>,
    channels: Option<Vec<ChannelPattern>>,
}

/// The body is no credential. No text of the secret is in here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidNewCredential {
    /// No JSON object.
    #[error("the body has to be a JSON object with kind, name and, as needed, secret, allow and channels")]
    NoObject,
    /// Not that of one.
    #[error("the body is no credential: {0}")]
    Json(#[from] serde_json::Error),
    /// The server makes up no passwords.
    #[error("a user needs a secret: the password")]
    NoPassword,
    /// The operating system has no randomness for a secret.
    #[error("no random numbers are available")]
    NoRandomness,
    /// There can be no such credential.
    #[error(transparent)]
    Credential(#[from] InvalidCredential),
}

/// A credential, with the secret that was made up for it, if one was.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) credential: Credential,
    pub(crate) made_up: Option<Secret>,
}

impl NewCredential {
    /// Reads a body.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(body: &[u8]) -> Result<NewCredential, InvalidNewCredential> {
        // An array with the members in their order would be one to serde too.
        match body.trim_ascii_start().first() {
            Some(b'{') => Ok(serde_json::from_slice(body)?),
            _ => Err(InvalidNewCredential::NoObject),
        }
    }

    /// Makes the credential. A password is hashed here, which takes tens of milliseconds.
    ///
    /// # Errors
    /// There can be no such credential.
    pub(crate) fn make(self) -> Result<Made, InvalidNewCredential> {
        let NewCredential { kind, name, secret, allow, channels } = self;
        let (secret, made_up) = match secret {
            Some(secret) => (secret, None),
            None if kind == CredentialKind::User => return Err(InvalidNewCredential::NoPassword),
            None => {
                let secret = random_secret()?;
                (secret.clone(), Some(secret))
            }
        };
        let credential = Credential::new(kind, &name, &secret, allow, channels)?;
        Ok(Made { credential, made_up })
    }
}

fn random_secret() -> Result<Secret, InvalidNewCredential> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|_| InvalidNewCredential::NoRandomness)?;
    Ok(Secret::new(&URL_SAFE_NO_PAD.encode(random)))
}

/// Reads a secret. What serde says of a value that is no string shows the value.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => Ok(Some(Secret::new(&text))),
        _ => Err(serde::de::Error::custom("secret has to be a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(body: &str) -> Result<Made, String> {
        let new = NewCredential::parse(body.as_bytes()).map_err(|error| error.to_string())?;
        new.make().map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_made_up_where_none_is_given() {
        let first = made(r#"{"kind":"device","name":"door"}"#).unwrap();
        assert_eq!((first.credential.kind(), first.credential.name()), (CredentialKind::Device, "door"));
        let second = made(r#"{"kind":"consumer_app","name":"door","secret":null}"#).unwrap();
        let (first, second) = (first.made_up.unwrap(), second.made_up.unwrap());
        assert_eq!(first.expose().len(), 43);
        assert_ne!(first, second);
        let given =
            r#"{"kind":"device","name":"door","secret":"a-secret","allow":["subscribe"],"channels":["a.*"]}"#;
        assert_eq!(made(given).unwrap().made_up, None);
        assert_eq!(made(r#"{"kind":"user","name":"ann","secret":"password"}"#).unwrap().made_up, None);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (body, expected) in [
            ("", "has to be a JSON object"),
            ("{", "EOF"),
            (r#"["device","x",null,null,null]"#, "has to be a JSON object"),
            (r#"{"kind":"device"}"#, "missing field `name`"),
            (r#"{"kind":"server","name":"x"}"#, "unknown variant `server`"),
            (r#"{"kind":"device","name":"x","sekret":"y"}"#, "unknown field `sekret`"),
            (r#"{"kind":"device","name":"x","allow":["fly"]}"#, "unknown variant `fly`"),
            (r#"{"kind":"device","name":"x"} x"#, "trailing characters"),
            (r#"{"kind":"user","name":"x"}"#, "a user needs a secret"),
            (r#"{"kind":"device","name":"x","secret":"short"}"#, "a secret is 8 to 512"),
            (r#"{"kind":"device","name":""}"#, "a name has 1 to 128 bytes"),
        ] {
            let error = made(body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        for secret in
            ["\"hunter2-\\u0001\"", "31415926", "[\"hunter2\"]", "\"hunter2\"", "\"hunter2 and more\""]
        {
            let body = format!(r#"{{"kind":"device","name":"x","secret":{secret}}}"#);
            let new = NewCredential::parse(body.as_bytes());
            let shown = format!("{new:?} {:?}", made(&body));
            assert!(!shown.contains("hunter2") && !shown.contains("31415926"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in "[\\[\\]{}\",:a-c0-9]{0,60}", any in any::<Vec<u8>>()) {
            let _ = (NewCredential::parse(body.as_bytes()), NewCredential::parse(&any));
        }
    }
}
