use antiphon_access::{Session, Transport};
use antiphon_engineio::{Denied, Handshake, Revision};
use antiphon_net::Worker;
use http::StatusCode;

use crate::exp::Shared;

/// Decides whether a client with a session token may have a socket, and who it is.
///
/// # Errors
/// The server does not answer to that name, or the page's origin is not allowed: 403. The token is not valid: 401, which the SDKs take
/// for being offline.
pub(super) fn admit(
    shared: &Shared,
    handshake: &Handshake,
    token: &str,
    worker: &Worker,
) -> Result<Session, Denied> {
    let host = handshake.headers.get("host");
    shared.hosts.check(host).map_err(|error| Denied::new(error.to_string()))?;
    let access = worker.node().access();
    let session = access
        .session(token, worker.now().wall)
        .map_err(|error| Denied::new(error.to_string()).with_status(StatusCode::UNAUTHORIZED))?;
    // The SDK on Node says the server's host and port without a scheme, which no browser does.
    let origin = handshake.headers.get("origin").filter(|origin| origin.contains("://") || *origin == "null");
    let transport = if handshake.peer.tls { Transport::Tls } else { Transport::Plain };
    let allowed = shared.origins.check(origin, host, transport).or_else(|refused| {
        match session.caller.as_ref().map(|caller| access.org(&caller.org)) {
            Some(Some(org)) => org.origins.check(origin, host, transport),
            Some(None) => Err(refused),
            // Who is no org's yet may come from any page that some org allows.
            None => access.check_preflight(origin, host, transport),
        }
    });
    allowed.map_err(|refused| Denied::new(refused.to_string()))?;
    Ok(session)
}

/// Refuses a client with a JWT that is nobody's: an SDK that was given another server's. What Socket.IO would say of it within the session
/// would leave the SDK waiting for good.
///
/// # Errors
/// It is one: 401.
pub(super) fn refuse_foreign(handshake: &Handshake, worker: &Worker) -> Result<(), Denied> {
    if handshake.revision != Revision::V3 || handshake.headers.get("authorization").is_some() {
        return Ok(());
    }
    let Some(token) = handshake.parameter("token").filter(|token| looks_like_jwt(token)) else {
        return Ok(());
    };
    let identity = handshake.parameter("identity");
    match worker.node().access().authenticate(Some(&token), identity.as_deref(), worker.now().wall) {
        Ok(_) => Ok(()),
        Err(error) => Err(Denied::new(error.to_string()).with_status(StatusCode::UNAUTHORIZED)),
    }
}

/// Whether it has three parts, of which the first begins as JSON objects do.
fn looks_like_jwt(token: &str) -> bool {
    token.starts_with("eyJ") && token.matches('.').count() == 2
}
