//! What clients of the native protocol do by HTTP beside listening.

use antiphon_tests::{Answer, Connection, encoded};
use serde_json::{Value, json};

use crate::client::{Note, Said, Trouble};
use crate::credentials::KEY;
use crate::random::Random;
use crate::world::World;

/// A connection that was kept, unless the server has closed it meanwhile: idle ones do not stay for ever.
pub(super) fn usable(kept: &mut Option<Connection>) -> Option<Connection> {
    kept.take().filter(|connection| match connection {
        Connection::Http1(sender) => !sender.is_closed(),
        Connection::Http2(sender) => !sender.is_closed(),
    })
}

/// A connection that was kept, or another one.
pub(super) async fn reuse(world: &World, kept: &mut Option<Connection>) -> Result<Connection, Trouble> {
    match usable(kept) {
        Some(connection) => Ok(connection),
        None => Ok(world.api.connect().await?),
    }
}

/// Publishes with `POST` over this connection, as this identity.
pub(super) async fn post(
    world: &World,
    connection: &mut Option<Connection>,
    note: &Note,
    identity: &str,
) -> Result<Said, Trouble> {
    let api = world.api.with_token(KEY);
    let mut link = reuse(world, connection).await?;
    let path = format!("/v1/channels/{}?identity={}", encoded(&note.channel), encoded(identity));
    let call = api.post(&path).json(&note.payload()).header("idempotency-key", &note.key());
    let answer = call.try_send_over(&mut link).await?;
    *connection = Some(link);
    match answer.status.as_u16() {
        201 => Ok(Said::Taken),
        // It may have been published.
        500.. => Err(Trouble::Lost(answer.text())),
        _ => Ok(Said::Refused(answer.text())),
    }
}

/// One of the things that are done by HTTP now and then.
pub(super) async fn chore(world: &World, random: &mut Random, channel: &str) -> Result<(), Trouble> {
    let api = world.api.with_token(KEY);
    let path = format!("/v1/channels/{}", encoded(channel));
    match random.below(6) {
        0 => {
            let broadcasts = format!("{path}/broadcasts?timeout=800&until=1");
            let answer = api.post(&broadcasts).json(&json!({"ask": 2})).try_send().await?;
            let replies = fine(&answer)?["replies"].as_array().map_or(0, Vec::len);
            world.count("broadcasts collected");
            world.add("replies collected", replies as u64);
        }
        1 => {
            let answer = api.get(&format!("{path}?limit=100")).try_send().await?;
            check_page(&fine(&answer)?)?;
            world.count("histories read");
        }
        2 => {
            let identity = format!("guest-{}", random.below(20));
            let presence = format!("/v1/channels/lobby.1/presence?identity={identity}&ttl=3s");
            fine(&api.put(&presence).json(&json!({"guest": true})).try_send().await?)?;
            world.count("presences by PUT");
        }
        3 => {
            let answer = api.get("/v1/channels/lobby.1/presence?limit=50").try_send().await?;
            if !fine(&answer)?["occupancy"].is_u64() {
                return Err(Trouble::Fault(answer.text()));
            }
        }
        4 => {
            // HTTP/2 ends with its one request.
            let answer = api.over_http2().get(&format!("{path}?limit=5")).try_send().await?;
            check_page(&fine(&answer)?)?;
        }
        _ => {
            let batch = json!([{"channel": "batch.1", "payload": {"of": "batch"}, "name": "one"},
                {"channel": "batch.2", "payload": "dHdv", "encoding": "base64", "store": false}]);
            let answer = api.post("/v1/publications").json(&batch).try_send().await?;
            let results = fine(&answer)?["results"].as_array().cloned().unwrap_or_default();
            if !results.iter().all(|result| result["position"].is_string()) && !world.is_excused() {
                return Err(Trouble::Fault(answer.text()));
            }
            world.count("batches published");
        }
    }
    Ok(())
}

/// What a page of history says is in order, and each publisher's messages too.
pub(super) fn check_page(page: &Value) -> Result<(), Trouble> {
    let messages = page["messages"].as_array();
    let messages = messages.ok_or_else(|| Trouble::Fault(format!("no page of messages: {page}")))?;
    let mut last: Option<u64> = None;
    let mut publishers = std::collections::HashMap::new();
    for message in messages {
        let position = message["position"].as_str().and_then(|position| position.parse().ok());
        if position.is_none() || position <= last {
            return Err(Trouble::Fault(format!("history goes from {last:?} to {position:?}")));
        }
        last = position;
        let payload = &message["payload"];
        if let (Some(publisher), Some(number)) = (payload["p"].as_str(), payload["n"].as_u64()) {
            let before = publishers.insert(publisher.to_owned(), number);
            if before.is_some_and(|before| before + 1 != number) {
                return Err(Trouble::Fault(format!(
                    "history of {} has {number} of {publisher} after {before:?}",
                    message["channel"]
                )));
            }
        }
    }
    Ok(())
}

/// The body of an answer that is no refusal.
pub(super) fn fine(answer: &Answer) -> Result<Value, Trouble> {
    match answer.status.as_u16() {
        200..300 => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
        500.. => Err(Trouble::Lost(answer.text())),
        status => Err(Trouble::Fault(format!("{status}: {}", answer.text()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(said: &[(u64, u64)]) -> Value {
        let message = |(position, number): &(u64, u64)| json!({"position": position.to_string(), "channel": "a", "payload": {"p": "p", "n": number}});
        json!({"messages": said.iter().map(message).collect::<Vec<_>>()})
    }

    #[test]
    fn pages_out_of_order_and_with_holes_are_found() {
        assert!(check_page(&page(&[(5, 1), (9, 2)])).is_ok());
        assert!(check_page(&page(&[(9, 1), (5, 2)])).is_err());
        assert!(check_page(&page(&[(5, 1), (9, 3)])).is_err());
        assert!(check_page(&json!({})).is_err());
    }
}
