//! Signs requests as SDKs with the secret key do, and grants tokens as the access manager does.

use antiphon_access::pam::{Scopes, TokenGrant};
use antiphon_model::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

use crate::{Running, SECRET};

/// The target of a request to `guarded`, signed. Its query has to be encoded as signatures want it.
pub(crate) fn signed(server: &Running, method: &str, target: &str, body: &[u8]) -> String {
    signed_with(server, SECRET, method, target, body)
}

pub(crate) fn signed_with(server: &Running, secret: &str, method: &str, target: &str, body: &[u8]) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let timestamp = format!("timestamp={}", now(server).as_secs());
    let mut parameters: Vec<&str> = query.split('&').filter(|one| !one.is_empty()).collect();
    parameters.push(&timestamp);
    parameters.sort_unstable();
    let query = parameters.join("&");
    let mut message = format!("{method}\npub-guarded\n{path}\n{query}\n").into_bytes();
    message.extend_from_slice(body);
    let key = EncodingKey::from_secret(secret.as_bytes());
    let code = crypto::sign(&message, &key, Algorithm::HS256).unwrap();
    format!("{path}?{query}&signature=v2.{code}")
}

pub(crate) fn now(server: &Running) -> Timestamp {
    server.node().now().wall
}

/// A token of a keyset, as it was granted at a time.
pub(crate) fn token_at(server: &Running, subscribe_key: &str, resources: Scopes, at: Timestamp) -> String {
    let access = server.node().access();
    let keyset = access.keyset(subscribe_key).unwrap();
    let grant = TokenGrant { ttl_minutes: 1, resources, ..TokenGrant::default() };
    access.grant_token(&keyset, &grant, at).unwrap()
}

/// A token of `guarded` for these names.
pub(crate) fn token(server: &Running, resources: Scopes) -> String {
    token_at(server, "sub-guarded", resources, now(server))
}
