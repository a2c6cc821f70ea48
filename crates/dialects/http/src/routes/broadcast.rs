use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Caller;
use antiphon_hub::{Collect, Reply, ReplyEvent};
use antiphon_model::Position;
use antiphon_node::{Completion, Node, PublishError, Receipt};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::{mpsc, oneshot};

use super::publish::described;
use super::{Answer, Request, json};
use crate::headers::text;
use crate::request_body::RequestBody;
use crate::wire::json::write_string;
use crate::wire::listen::POSITION;
use crate::wire::media::Media;
use crate::wire::message::{write_digits, write_payload};
use crate::wire::query::InvalidParameter;

/// How long replies are collected if the request does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// How many replies one can ask to wait for.
pub(crate) const UNTIL_MAX: usize = 10_000;

/// `POST /v1/channels/{channel}/broadcasts`
pub(crate) async fn broadcast(request: Request, name: &str, body: &mut RequestBody) -> Answer {
    let channel = request.channel(name)?;
    let query = request.query();
    let timeout = query.duration("timeout")?.unwrap_or(TIMEOUT_DEFAULT);
    let timeout = timeout.min(request.settings.broadcast_timeout_max());
    let until = query.number("until", 1..=UNTIL_MAX)?;
    drop(query);
    let (publish, media) = described(&request)?;
    let body = body.read(request.limits().payload_bytes_max).await?;
    let draft = publish.draft(channel, media.payload(body)?);
    // The hub bounds how many replies, and how many bytes of them, are collected.
    let (replies, mut collected) = mpsc::unbounded_channel();
    let sink = Box::new(move |event| _ = replies.send(event));
    let (sender, receiver) = oneshot::channel();
    let done = move || -> Completion { Box::new(move |result| _ = sender.send(result)) };
    let collect = Collect { timeout, until, sink };
    let (position, receipt) = request.node().broadcast(&request.caller, draft, collect, done)?;
    let open = Collection { node: Arc::clone(request.node()), caller: Arc::clone(&request.caller), position };
    let mut answer = Collected::default();
    while let Some(event) = collected.recv().await {
        match event {
            ReplyEvent::Reply(reply) => answer.replies.push(reply),
            ReplyEvent::End { complete } => {
                answer.complete = complete;
                break;
            }
        }
    }
    drop(open);
    let receipt = match receipt {
        Some(receipt) => Ok(receipt),
        None => receiver.await.unwrap_or(Err(PublishError::Closing)),
    };
    answer.stored = stored(receipt)?;
    Ok(json(StatusCode::OK, answer.json(position)))
}

/// What was heard and answered is an answer, whether or not it was stored.
fn stored(receipt: Result<Receipt, PublishError>) -> Result<bool, PublishError> {
    match receipt {
        Ok(receipt) => Ok(receipt.stored),
        Err(PublishError::NotStored { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the collection when whoever asked is gone, or has it all.
struct Collection {
    node: Arc<Node>,
    caller: Arc<Caller>,
    position: Position,
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.node.end_replies(&self.caller, self.position);
    }
}

#[derive(Default)]
struct Collected {
    replies: Vec<Reply>,
    complete: bool,
    stored: bool,
}

impl Collected {
    fn json(&self, position: Position) -> Vec<u8> {
        let mut out = b"{\"position\":\"".to_vec();
        write_digits(position.0, &mut out);
        out.extend_from_slice(b"\",\"replies\":[");
        for (index, reply) in self.replies.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",{" } else { b"{" });
            write_reply(reply, &mut out);
            out.push(b'}');
        }
        let (complete, stored) = (self.complete, self.stored);
        out.extend_from_slice(format!("],\"complete\":{complete},\"stored\":{stored}}}").as_bytes());
        out
    }
}

/// Writes a reply's members: `"payload":…,"encoding"?,"publisher"?`
pub(crate) fn write_reply(reply: &Reply, out: &mut Vec<u8>) {
    write_payload(&reply.payload, out);
    if let Some(publisher) = &reply.publisher {
        out.extend_from_slice(b",\"publisher\":");
        write_string(&publisher.id, out);
    }
}

/// `POST /v1/channels/{channel}/broadcasts/{position}/replies`
pub(crate) async fn reply(request: Request, name: &str, position: &str, body: &mut RequestBody) -> Answer {
    let channel = request.channel(name)?;
    let position = position.parse().map_err(|_| InvalidParameter::new("position", POSITION))?;
    let media = Media::of(text(&request.head.headers, CONTENT_TYPE))?;
    let body = body.read(request.limits().payload_bytes_max).await?;
    request.node().reply(&request.caller, position, &channel, media.payload(body)?)?;
    Ok(json(StatusCode::ACCEPTED, "{}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{Identity, IdentityKind, Payload};

    #[test]
    fn the_answer_by_example() {
        let bob = Some(Arc::new(Identity::new(IdentityKind::User, "bob")));
        let replies = vec![
            Reply { payload: Payload::from_text("{\"a\":\n1}".into()), publisher: bob },
            Reply { payload: Payload::Binary(vec![0].into()), publisher: None },
        ];
        let collected = Collected { replies, complete: true, stored: false };
        assert_eq!(
            String::from_utf8(collected.json(Position(7))).unwrap(),
            concat!(
                r#"{"position":"7","replies":[{"payload":{"a":1},"publisher":"bob"},"#,
                r#"{"payload":"AA==","encoding":"base64"}],"complete":true,"stored":false}"#
            )
        );
        assert_eq!(
            String::from_utf8(Collected::default().json(Position(7))).unwrap(),
            r#"{"position":"7","replies":[],"complete":false,"stored":false}"#
        );
    }
}
