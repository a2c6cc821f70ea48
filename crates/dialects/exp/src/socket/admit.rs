use antiphon_access::{AuthError, Session, Transport};
use antiphon_engineio::{Denied, Handshake, Revision};
use antiphon_net::Worker;
use http::StatusCode;

use crate::exp::Shared;

/// Decides whether a client with a session token may have a socket, and who it is.
///
/// # Errors
/// The server does not answer to that name, or the page's origin is not allowed: 403. The token is not valid: 401, which the SDKs take
/// for being offline. Too many from the same address were not: 429.
pub(super) fn admit(
    shared: &Shared,
    handshake: &Handshake,
    token: &str,
    worker: &Worker,
) -> Result<Session, Denied> {
    let host = handshake.headers.get("host");
    shared.hosts.check(host).map_err(|error| Denied::new(error.to_string()))?;
    let access = worker.node().access();
    let now = worker.now();
    let show = || access.session(token, now.wall);
    let network = handshake.peer.network;
    let session = access.attempt(network, now.monotonic, show).map_err(|error| denied(&error))?;
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
    Ok(session.coming_from(network))
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
    let (access, now) = (worker.node().access(), worker.now());
    let show = || access.authenticate(Some(&token), identity.as_deref(), now.wall);
    let shown = access.attempt(handshake.peer.network, now.monotonic, show);
    shown.map(drop).map_err(|error| denied(&error))
}

fn denied(error: &AuthError) -> Denied {
    match error {
        AuthError::TooManyFailures(too_many) => Denied::new(error.to_string())
            .with_status(StatusCode::TOO_MANY_REQUESTS)
            .with_retry_after(too_many.retry_after),
        _ => Denied::new(error.to_string()).with_status(StatusCode::UNAUTHORIZED),
    }
}

/// Whether it has three parts, of which the first begins as JSON objects do.
fn looks_like_jwt(token: &str) -> bool {
    token.starts_with("eyJ") && token.matches('.').count() == 2
}
