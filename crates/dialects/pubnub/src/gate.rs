//! Who a request is from, and what it may: its keyset, its signature, its token or auth key.

use std::sync::Arc;

use antiphon_access::pam::{Bits, Forbidden, Permit, Presented, Resource, TokenError};
use antiphon_access::{
    Access, AuthError, BadSignature, Caller, FailedCredential, Keyset, Signed, SignedRequest,
};
use antiphon_model::{Now, Timestamp};
use antiphon_net::{Peer, Worker};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::query::Query;

/// A request's keyset.
///
/// # Errors
/// There is none of that key, or too much that came from the peer's address was no credential.
pub(crate) fn keyset(worker: &Worker, subscribe_key: &str, peer: &Peer) -> Result<Arc<Keyset>, Refusal> {
    let access = worker.node().access();
    let find = || access.keyset(subscribe_key).ok_or_else(Refusal::invalid_subscribe_key);
    access.attempt(peer.network, worker.now().monotonic, find)
}

/// Who asks, and what he may.
pub(crate) struct Admitted {
    pub(crate) permit: Permit,
    pub(crate) caller: Arc<Caller>,
    pub(crate) uuid: Option<Box<str>>,
}

/// What is looked at to see who asks: `body` is as it came.
pub(crate) struct Shown<'a> {
    pub(crate) keyset: &'a Keyset,
    pub(crate) head: &'a Parts,
    pub(crate) query: &'a Query,
    pub(crate) body: &'a [u8],
    pub(crate) peer: &'a Peer,
}

/// Checks the signature of a request, and what it shows to say what it may.
///
/// # Errors
/// A signature or token is wrong, the uuid cannot be one, or too much that came from the peer's address was no credential.
pub(crate) fn admit(access: &Access, shown: &Shown<'_>, now: Now) -> Result<Admitted, Refusal> {
    let network = shown.peer.network;
    let admitted = access.attempt(network, now.monotonic, || look_at(access, shown, now.wall))?;
    let caller = Arc::new(Arc::unwrap_or_clone(admitted.caller).coming_from(network));
    Ok(Admitted { caller, ..admitted })
}

fn look_at(access: &Access, shown: &Shown<'_>, now: Timestamp) -> Result<Admitted, Refusal> {
    let Shown { keyset, head, query, body, peer } = *shown;
    let request = SignedRequest {
        method: head.method.as_str(),
        raw_path: head.uri.path(),
        raw_query: head.uri.query().unwrap_or_default(),
        body,
    };
    let signed = keyset.verify(&request, now)?;
    let uuid = query.filled("uuid");
    let auth = query.filled("auth");
    if let (Signed::No, None, Some(certificate)) = (signed, auth, &peer.certificate) {
        let caller = Arc::new(access.authenticate_certificate(&certificate.chain, now)?);
        if let Some(permit) = access.permit_certificate(keyset, &caller, uuid)? {
            return Ok(Admitted { permit, caller, uuid: uuid.map(Box::from) });
        }
    }
    let presented = Presented { auth, uuid, signed };
    let permit = access.permit(keyset, &presented, now)?;
    let caller = Arc::new(permit.limit(keyset.caller(uuid)?));
    Ok(Admitted { permit, caller, uuid: uuid.map(Box::from) })
}

impl Request {
    /// Checks that it may do this on all of these.
    ///
    /// # Errors
    /// The refusal names all that it may not.
    pub(crate) fn may<'a>(
        &self,
        resources: impl IntoIterator<Item = Resource<'a>>,
        bits: Bits,
    ) -> Result<(), Refusal> {
        Ok(self.permit.check_all(resources, bits)?)
    }

    /// As [`Request::may`], on channels.
    pub(crate) fn may_on<'a>(
        &self,
        channels: impl IntoIterator<Item = &'a str>,
        bits: Bits,
    ) -> Result<(), Refusal> {
        self.may(channels.into_iter().map(Resource::Channel), bits)
    }
}

impl From<Forbidden> for Refusal {
    fn from(forbidden: Forbidden) -> Refusal {
        let mut payload = Map::new();
        for (name, resources) in [
            ("channels", &forbidden.channels),
            ("channel-groups", &forbidden.groups),
            ("uuids", &forbidden.uuids),
        ] {
            if !resources.is_empty() {
                let resources: Vec<&str> = resources.iter().map(|name| &**name).collect();
                payload.insert(name.into(), resources.into());
            }
        }
        Refusal::forbidden("Forbidden").with_payload(Value::Object(payload))
    }
}

impl FailedCredential for Refusal {
    fn is_failure(&self) -> bool {
        self.is_for_a_guess()
    }
}

impl From<BadSignature> for Refusal {
    fn from(error: BadSignature) -> Refusal {
        let refusal = Refusal::forbidden(error.to_string());
        match error {
            BadSignature::Malformed | BadSignature::Mismatch => refusal.for_a_guess(),
            // Of a clock.
            BadSignature::Timestamp | BadSignature::Stale => refusal,
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Refusal {
        let refusal = Refusal::forbidden(error.to_string());
        match error {
            TokenError::Malformed | TokenError::TooLong | TokenError::BadSignature => refusal.for_a_guess(),
            // Signed with the secret key, so it was valid once.
            TokenError::Expired | TokenError::Revoked | TokenError::OtherUuid => refusal,
        }
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Refusal {
        match error {
            AuthError::NoRandomness => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            error => Refusal::bad(error.to_string()),
        }
    }
}
