use std::time::Duration;

use antiphon_hub::Reply;
use antiphon_net::request::RequestBody;
use antiphon_node::Collected;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::publish::described;
use super::{Answer, Request, json};
use crate::headers::text;
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
    let collected = request.node().broadcast_and_collect(&request.caller, draft, timeout, until).await?;
    Ok(json(StatusCode::OK, answer(&collected)))
}

fn answer(collected: &Collected) -> Vec<u8> {
    let mut out = b"{\"position\":\"".to_vec();
    write_digits(collected.position.0, &mut out);
    out.extend_from_slice(b"\",\"replies\":[");
    for (index, reply) in collected.replies.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        write_reply(reply, &mut out);
        out.push(b'}');
    }
    let (complete, stored) = (collected.complete, collected.stored);
    out.extend_from_slice(format!("],\"complete\":{complete},\"stored\":{stored}}}").as_bytes());
    out
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
    use std::sync::Arc;

    use antiphon_model::{Identity, IdentityKind, Payload, Position};

    #[test]
    fn the_answer_by_example() {
        let bob = Some(Arc::new(Identity::new(IdentityKind::User, "bob")));
        let replies = vec![
            Reply { payload: Payload::from_text("{\"a\":\n1}".into()), publisher: bob },
            Reply { payload: Payload::Binary(vec![0].into()), publisher: None },
        ];
        let collected = Collected { position: Position(7), replies, complete: true, stored: false };
        assert_eq!(
            String::from_utf8(answer(&collected)).unwrap(),
            concat!(
                r#"{"position":"7","replies":[{"payload":{"a":1},"publisher":"bob"},"#,
                r#"{"payload":"AA==","encoding":"base64"}],"complete":true,"stored":false}"#
            )
        );
        let none = Collected { replies: Vec::new(), complete: false, ..collected };
        assert_eq!(
            String::from_utf8(answer(&none)).unwrap(),
            r#"{"position":"7","replies":[],"complete":false,"stored":false}"#
        );
    }
}
