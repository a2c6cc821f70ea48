//! Credentials of devices, consumer apps and users, for operators.

use std::panic;
use std::sync::Arc;

use antiphon_access::{CredentialInfo, CredentialKind};
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_net::request::RequestBody;
use antiphon_node::{Existing, check_admin};
use http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{Answer, Request, json};
use crate::wire::credential::{BODY_BYTES_MAX, Made, NewCredential};
use crate::wire::query::InvalidParameter;

/// How much of this is done at once in the process: a hash takes 19 MiB, a list as much as there is to say.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// `GET /v1/credentials`
pub(crate) async fn list(request: Request) -> Answer {
    check_admin(&request.caller)?;
    let (node, caller) = (Arc::clone(request.node()), Arc::clone(&request.caller));
    let listed =
        in_turn(move || node.credentials(&caller).map(|credentials| list_json(&credentials))).await?;
    Ok(json(StatusCode::OK, listed?))
}

/// `POST /v1/credentials`
pub(crate) async fn add(request: Request, body: &mut RequestBody) -> Answer {
    check_admin(&request.caller)?;
    let existing = match request.query().flag("replace")? {
        Some(true) => Existing::Replace,
        Some(false) | None => Existing::Refuse,
    };
    let new = NewCredential::parse(&body.read(BODY_BYTES_MAX).await?)?;
    let Made { credential, made_up } = in_turn(move || new.make()).await??;
    let secret = made_up.as_ref().map(|secret| secret.expose());
    let added = to_json(&Added { kind: credential.kind(), name: credential.name(), secret });
    request.node().add_credential(&request.caller, credential, existing).await?;
    Ok(json(StatusCode::CREATED, added))
}

/// `DELETE /v1/credentials/{kind}/{name}`
pub(crate) async fn revoke(request: Request, kind: &str, name: &str) -> Answer {
    check_admin(&request.caller)?;
    let kind: CredentialKind =
        kind.parse().map_err(|_| InvalidParameter::new("kind", "is device, consumer_app or user"))?;
    request.node().revoke_credential(&request.caller, kind, name).await?;
    Ok(json(StatusCode::OK, "{}"))
}

#[derive(Serialize)]
struct List<'a> {
    credentials: &'a [CredentialInfo],
}

/// What was added; the secret only if it was made up, and then nobody else knows it.
#[derive(Serialize)]
struct Added<'a> {
    kind: CredentialKind,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

fn list_json(credentials: &[CredentialInfo]) -> Vec<u8> {
    to_json(&List { credentials })
}

fn to_json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("lists of strings are JSON")
}

/// Does something that takes its time, when it is its turn, on a thread where that holds up nobody.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let turn = AT_ONCE.acquire().await.expect("it is never closed");
    let done = tokio::task::spawn_blocking(move || {
        // Whoever waits for it may be gone before it is done.
        let _turn = turn;
        work()
    });
    done.await.map_err(|error| match error.try_into_panic() {
        Ok(panicked) => panic::resume_unwind(panicked),
        Err(_) => Problem::new(ProblemKind::Closing, "the server is stopping"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::{CredentialSource, Permission};
    use antiphon_model::ChannelPattern;

    #[test]
    fn answers_by_example() {
        let info = CredentialInfo {
            kind: CredentialKind::ConsumerApp,
            name: "kiosk \"1\"".into(),
            source: CredentialSource::Store,
            allow: vec![Permission::Subscribe],
            channels: vec![ChannelPattern::new("menu.*")],
        };
        assert_eq!(
            String::from_utf8(list_json(&[info])).unwrap(),
            concat!(
                r#"{"credentials":[{"kind":"consumer_app","name":"kiosk \"1\"","source":"store","#,
                r#""allow":["subscribe"],"channels":["menu.*"]}]}"#
            )
        );
        let added = Added { kind: CredentialKind::Device, name: "door", secret: None };
        assert_eq!(to_json(&added), br#"{"kind":"device","name":"door"}"#);
        let added = Added { secret: Some("made-up"), ..added };
        assert_eq!(to_json(&added), br#"{"kind":"device","name":"door","secret":"made-up"}"#);
    }
}
