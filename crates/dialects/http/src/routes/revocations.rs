//! Tokens that are good for nothing, for operators.

use std::sync::Arc;

use antiphon_access::{NumericDate, Revoke, RevokedToken};
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_net::request::RequestBody;
use http::StatusCode;
use serde::Serialize;

use super::{Answer, Request, json};
use crate::wire::revocation::{BODY_BYTES_MAX, NewRevocation};

/// `GET /v1/revocations`
pub(crate) fn list(request: &Request) -> Answer {
    let revoked = request.node().revoked_tokens(&request.caller)?;
    let revocations = revoked.iter().map(Revocation::of).collect();
    Ok(json(StatusCode::OK, to_json(&List { revocations })))
}

/// `POST /v1/revocations`
pub(crate) async fn revoke(request: Request, body: &mut RequestBody) -> Answer {
    // Asked first, so that nobody else learns what is wrong with the body.
    request.node().may_revoke_tokens(&request.caller)?;
    let new = NewRevocation::parse(&body.read(BODY_BYTES_MAX).await?)?;
    let (node, caller) = (Arc::clone(request.node()), Arc::clone(&request.caller));
    // On a task of its own: once it is revoked it is to be stored, also if the client goes away.
    let revoking = tokio::task::spawn_local(async move {
        let what = match &new {
            NewRevocation::Token(token) => Revoke::Token(token.expose()),
            NewRevocation::Identity(name, before) => {
                Revoke::Identity { name, issued_before: before.map_or(node.now().wall, |before| before.0) }
            }
        };
        node.revoke_tokens(&caller, what).await
    });
    let revoked =
        revoking.await.map_err(|_| Problem::new(ProblemKind::Closing, "the server is stopping"))??;
    Ok(json(StatusCode::CREATED, to_json(&Revocation::of(&revoked))))
}

#[derive(Serialize)]
struct List<'a> {
    revocations: Vec<Revocation<'a>>,
}

/// What was revoked.
#[derive(Serialize)]
struct Revocation<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_before: Option<NumericDate>,
    /// None: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<NumericDate>,
}

impl<'a> Revocation<'a> {
    fn of(revoked: &'a RevokedToken) -> Revocation<'a> {
        Revocation {
            id: revoked.id.to_string(),
            identity: revoked.identity.as_ref().map(|revoked| &*revoked.identity),
            issued_before: revoked.identity.as_ref().map(|revoked| revoked.issued_before),
            until: revoked.until.map(NumericDate),
        }
    }
}

fn to_json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("texts and numbers are JSON")
}
