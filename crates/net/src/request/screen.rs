use antiphon_access::{Access, Caller, HostPolicy, OriginPolicy, OriginRefused};
use http::header::HOST;
use http::request::Parts;

use super::headers::{host, origin, transport};
use super::query::InvalidParameter;
use crate::Peer;
use crate::problem::Problem;

/// Checks that the server answers to the name that a request calls it by.
///
/// # Errors
/// It does not, or there are two names.
pub fn check_host(hosts: &HostPolicy, request: &Parts) -> Result<(), Problem> {
    only_one_host(request)?;
    Ok(hosts.check(host(request))?)
}

/// Checks that a request does not name two hosts: they could be read as one or the other (RFC 9112, 3.2).
///
/// # Errors
/// It does.
pub fn only_one_host(request: &Parts) -> Result<(), InvalidParameter> {
    match request.headers.get_all(HOST).iter().nth(1) {
        Some(_) => Err(InvalidParameter::new("Host", "is given twice")),
        None => Ok(()),
    }
}

/// Checks a request's origin before it is known which org it is for: the settings or some org have to allow it.
///
/// # Errors
/// None does.
pub fn check_any_origin(
    settings: &OriginPolicy,
    access: &Access,
    request: &Parts,
    peer: &Peer,
) -> Result<(), OriginRefused> {
    let (origin, host, transport) = (origin(request), host(request), transport(peer));
    settings.check(origin, host, transport).or_else(|_| access.check_preflight(origin, host, transport))
}

/// Checks a request's origin against the settings and the caller's own org.
///
/// # Errors
/// Neither allows it.
pub fn check_origin(
    settings: &OriginPolicy,
    access: &Access,
    caller: &Caller,
    request: &Parts,
    peer: &Peer,
) -> Result<(), OriginRefused> {
    let (origin, host, transport) = (origin(request), host(request), transport(peer));
    let refused = match settings.check(origin, host, transport) {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    match access.org(&caller.org) {
        Some(org) => org.origins.check(origin, host, transport),
        None => Err(refused),
    }
}
