//! Logins as the SDKs make them, the sessions that they give, and how those end.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

mod open;
mod pairing;
mod password;
mod session;
mod signed;
mod stored;

use std::time::Duration;

use antiphon_access::{
    Access, Caller, Credential, CredentialKind, LoggedIn, Login, LoginError, OrgSettings, Permission, Secret,
};
use antiphon_model::{ChannelFlags, ChannelId, OrgId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;
const LIFETIME: Duration = Duration::from_secs(30 * 60);

const SCALA: &str = r#"
    name = "scala"
    [[device]]
    uuid = "test-uuid"
    secret = "test-secret"
    [[consumer_app]]
    uuid = "test-uuid"
    api_key = "test-api-key"
    [[user]]
    username = "test@test.com"
    password = "12345test"
"#;

fn org(toml: &str) -> OrgSettings {
    toml::from_str(toml).unwrap()
}

fn scala() -> Access {
    Access::load(vec![org(SCALA)]).unwrap()
}

fn with_demo() -> Access {
    Access::load(vec![org(SCALA), org("name = \"demo\"\nopen = true")]).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * Timestamp::PER_SECOND)
}

/// A token as a client signs it.
fn signed_with(secret: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

/// What a device claims, and more.
fn device(uuid: &str, more: Value) -> Value {
    let mut claims = json!({"type": "device", "uuid": uuid, "exp": NOW + 60});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn log_in(access: &Access, token: &str) -> Result<LoggedIn, LoginError> {
    access.login(&Login::Signed(token), LIFETIME, at(NOW))
}

/// The session of a device that has logged in.
fn test_device(access: &Access) -> LoggedIn {
    log_in(access, &signed_with("test-secret", &device("test-uuid", json!({})))).unwrap()
}

fn caller(access: &Access, token: &str) -> Caller {
    access.authenticate(Some(token), None, at(NOW)).unwrap()
}

fn may(caller: &Caller, permission: Permission, name: &str, flags: ChannelFlags) -> bool {
    caller.may(permission, &ChannelId::new(name, flags).unwrap()).is_ok()
}

fn add(access: &Access, org: &str, kind: CredentialKind, name: &str, secret: &str) {
    let credential = Credential::new(kind, name, &Secret::new(secret), None, None).unwrap();
    access.add_credential(&OrgId::new(org), credential).unwrap();
}
