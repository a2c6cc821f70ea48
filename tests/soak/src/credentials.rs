use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_tests::{Api, Lost};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::client::Trouble;

/// The org of a run.
pub(crate) const ORG: &str = "soak";
/// Its key for everything but administration; clients name themselves.
pub(crate) const KEY: &str = "soak-key-for-clients";
/// Its key for administration.
pub(crate) const ADMIN_KEY: &str = "soak-key-for-administration";
/// What its tokens are signed with.
pub(crate) const JWT_SECRET: &str = "soak-secret-that-signs-the-tokens-of-users";
/// Its PubNub keys.
pub(crate) const PUBLISH_KEY: &str = "soak-publish";
pub(crate) const SUBSCRIBE_KEY: &str = "soak-subscribe";
/// What the devices of the configuration sign with, and how many there are.
pub(crate) const DEVICE_SECRET: &str = "soak-secret-of-devices";
pub(crate) const DEVICES: usize = 16;

/// A token of a user that is valid for so long.
pub(crate) fn mint(identity: &str, seconds: u64) -> String {
    let claims = json!({
        "sub": identity,
        "exp": unix_seconds() + seconds,
        "permissions": [{"channels": ["*"], "allow": ["publish", "subscribe", "history", "presence"]}],
    });
    signed(&claims, JWT_SECRET)
}

/// Logs a device in, and gives its session's token.
pub(crate) async fn login(api: &Api, uuid: &str, secret: &str) -> Result<String, Trouble> {
    let claims = json!({"type": "device", "uuid": uuid, "allowPairing": false, "exp": unix_seconds() + 3600});
    let body = json!({"type": "device", "token": signed(&claims, secret)});
    let answer = api.post("/api/auth/login").json(&body).try_send().await?;
    let status = answer.status;
    let session: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match session["token"].as_str() {
        Some(token) if status == 200 => Ok(token.to_owned()),
        _ if status.is_server_error() => Err(Lost(format!("no login: {status} {}", answer.text())).into()),
        _ => Err(Trouble::Fault(format!("{uuid} cannot log in: {status} {}", answer.text()))),
    }
}

fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), claims, &key).expect("claims can be signed with a secret")
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
