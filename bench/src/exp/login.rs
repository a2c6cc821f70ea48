//! Logging in as a device: a token that it signs, for the session's.

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::http;
use crate::target::Target;

/// For how long what a device signs is good.
const LIFETIME_SECS: u64 = 3600;

/// A device that is logged in, and the connection over which it did.
pub(super) struct Session {
    pub(super) token: String,
    /// The org's name, which is in every channel's id.
    pub(super) org: String,
    pub(super) http: TcpStream,
}

/// Logs a device in.
pub(super) fn login(number: usize, target: &Target, uuid: &str, secret: &str) -> Result<Session, Error> {
    let mut http = http::connect(number, target)?;
    let body = json!({"type": "device", "token": signed(uuid, secret)}).to_string();
    let request = http::post(target.host(), "/api/auth/login", None, body.as_bytes());
    let answer = http::exchange(number, &mut http, &request)?;
    let refused = || Error::Unexpected { connection: number, detail: format!("no login: {answer}") };
    let session: Value = serde_json::from_slice(&answer.body).map_err(|_| refused())?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (answer.status, text(&session["token"]), text(&session["identity"]["organization"])) {
        (200, Some(token), Some(org)) => Ok(Session { token, org, http }),
        _ => Err(refused()),
    }
}

/// What a device logs in with: a JWT that its secret signs.
fn signed(uuid: &str, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "type": "device", "uuid": uuid, "allowPairing": false, "iat": now, "exp": now + LIFETIME_SECS,
    });
    let signed = [r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string()]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let signature = hmac_sha256(secret.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 2104 with SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let hash = |pad: u8, message: &[u8]| -> [u8; 32] {
        Sha256::new().chain_update(block.map(|byte| byte ^ pad)).chain_update(message).finalize().into()
    };
    hash(0x5c, &hash(0x36, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn signs_as_in_section_4_of_rfc_4231() {
        for (key, message, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac_sha256(key, message)), expected);
        }
    }

    #[test]
    fn a_device_says_who_it_is() {
        let token = signed("bench-7", "secret");
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((&claims["type"], &claims["uuid"]), (&json!("device"), &json!("bench-7")));
        assert_eq!(token.split('.').count(), 3);
    }
}
