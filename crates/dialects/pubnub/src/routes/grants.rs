//! The access manager: what the keyset's own servers permit to its clients, by the secret key.

use antiphon_access::pam::{GrantError, RevokeError};
use http::StatusCode;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::grants::{GrantFailed, RevokeFailed};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::grants;

/// `POST /v3/pam/{sub}/grant`
pub(super) async fn grant(request: Request) -> Answer {
    is_admin(&request)?;
    let grant = grants::token(&request.body)?;
    let token = request.node().access().grant_token(&request.keyset, &grant, request.worker.now().wall)?;
    answer::json(&json!({
        "status": 200,
        "data": { "message": "Success", "token": token },
        "service": "Access Manager",
    }))
}

/// `DELETE /v3/pam/{sub}/grant/{token}`
pub(super) async fn revoke(request: Request) -> Answer {
    is_admin(&request)?;
    // On a task of its own: once it is revoked it is to be stored, also if the client goes away.
    let revoking = tokio::task::spawn_local(async move {
        let (node, now) = (request.node(), request.worker.now().wall);
        let token = request.path.of("token");
        request.shared.grants.revoke(node, &request.keyset, token, now).await
    });
    revoking
        .await
        .map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."))??;
    answer::json(&json!({ "status": 200, "data": { "message": "Success" }, "service": "Access Manager" }))
}

/// `GET /v2/auth/grant/sub-key/{sub}?r&w&m&d&g&u&j&channel&channel-group&target-uuid&auth&ttl`
pub(super) async fn grant_auth_keys(request: Request) -> Answer {
    is_admin(&request)?;
    let grant = grants::auth_keys(&request.query)?;
    if grant.channels.len().max(grant.groups.len()).max(grant.uuids.len()).max(grant.auths.len()) > NAMES_MAX
    {
        return Err(Refusal::bad(format!(
            "At most {NAMES_MAX} channels, groups, uuids or auth keys in one grant"
        )));
    }
    let now = request.worker.now().wall;
    let granted = request.shared.grants.grant(request.node(), &request.keyset, &grant, now).await?;
    let key = &request.keyset.subscribe_key;
    let payload = grants::granted(&grant, granted.level, key, granted.ttl_minutes);
    answer::json(
        &json!({ "status": 200, "message": "Success", "payload": payload, "service": "Access Manager" }),
    )
}

/// How many names of each sort one grant has: each is granted to each auth key.
const NAMES_MAX: usize = 200;

/// Checks that the request is signed with the secret key.
fn is_admin(request: &Request) -> Result<(), Refusal> {
    if request.permit.is_admin() {
        return Ok(());
    }
    let message = match request.keyset.has_secret_key() {
        true => "Expected a signature by the secret key",
        false => "The keyset has no secret key, and no access manager",
    };
    Err(Refusal::forbidden("Forbidden").with_detail("query", "signature", message))
}

impl From<GrantError> for Refusal {
    fn from(error: GrantError) -> Refusal {
        let (location, message) = (error.location().unwrap_or_default(), error.to_string());
        match error {
            GrantError::NoSecretKey => Refusal::forbidden(message),
            GrantError::NoRandomness => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message),
            GrantError::TooMany => Refusal::new(StatusCode::TOO_MANY_REQUESTS, message),
            GrantError::Ttl => Refusal::bad("Invalid ttl").with_detail(
                "body",
                location,
                "Range should be 1 to 43200 minute(s)",
            ),
            GrantError::Pattern { .. } => {
                Refusal::bad("Invalid RegExp").with_detail("body", location, message)
            }
            _ => Refusal::bad("Invalid permissions").with_detail("body", location, message),
        }
    }
}

impl From<GrantFailed> for Refusal {
    fn from(failed: GrantFailed) -> Refusal {
        match failed {
            // Here it is no body that says it, and another range.
            GrantFailed::Grant(
                error @ (GrantError::Ttl
                | GrantError::Combination
                | GrantError::AuthKey
                | GrantError::Name { .. }),
            ) => Refusal::bad(error.to_string()),
            GrantFailed::Grant(error) => error.into(),
            GrantFailed::Store(error) => error.into(),
        }
    }
}

impl From<RevokeFailed> for Refusal {
    fn from(failed: RevokeFailed) -> Refusal {
        match failed {
            RevokeFailed::Revoke(error @ RevokeError::TooMany) => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            }
            RevokeFailed::Revoke(error) => {
                Refusal::bad("Invalid token").with_detail("path", "token", error.to_string())
            }
            RevokeFailed::Store(error) => error.into(),
        }
    }
}
