//! Who a request is from, and what it may: its keyset, its signature, its token or auth key.

use std::sync::Arc;

use antiphon_access::pam::{Bits, Forbidden, Permit, Presented, Resource, TokenError};
use antiphon_access::{Access, AuthError, BadSignature, Caller, Keyset, SignedRequest};
use antiphon_model::Timestamp;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::query::Query;

/// A request's keyset.
///
/// # Errors
/// There is none of that key.
pub(crate) fn keyset(access: &Access, subscribe_key: &str) -> Result<Arc<Keyset>, Refusal> {
    access.keyset(subscribe_key).ok_or_else(Refusal::invalid_subscribe_key)
}

/// Who asks, and what he may.
pub(crate) struct Admitted {
    pub(crate) permit: Permit,
    pub(crate) caller: Arc<Caller>,
    pub(crate) uuid: Option<Box<str>>,
}

/// Checks the signature of a request, and what it shows to say what it may. `body` is as it came.
///
/// # Errors
/// A signature or token is wrong, or the uuid cannot be one.
pub(crate) fn admit(
    access: &Access,
    keyset: &Keyset,
    head: &Parts,
    query: &Query,
    body: &[u8],
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let request = SignedRequest {
        method: head.method.as_str(),
        raw_path: head.uri.path(),
        raw_query: head.uri.query().unwrap_or_default(),
        body,
    };
    let signed = keyset.verify(&request, now)?;
    let uuid = query.filled("uuid");
    let presented = Presented { auth: query.filled("auth"), uuid, signed };
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

impl From<BadSignature> for Refusal {
    fn from(error: BadSignature) -> Refusal {
        Refusal::forbidden(error.to_string())
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Refusal {
        Refusal::forbidden(error.to_string())
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
