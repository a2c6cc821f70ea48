//! What the built-in events answer. Bytes are bytes here, as long as there are not more than clients take.

use std::sync::Arc;

use antiphon_hub::{Member, Reply};
use antiphon_model::{ChannelFlags, ChannelId, Expects, Kind, Payload, Position, Publication, RawJson};
use antiphon_net::ListeningOn;
use antiphon_net::problem::Problem;
use antiphon_node::{self as node, Receipt, Window};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Ack, Binary, EmitError, EventArguments, Limits, Socket};

/// What an event came to. With `status` it is the object that answers it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Done {},
    Subscribed { channels: Vec<On> },
    Published { position: Digits, stored: bool },
    Replies { position: Digits, replies: Vec<OneReply>, complete: bool, stored: bool },
    History { messages: Vec<Message>, position: Digits, gap: bool },
    Presence { occupancy: usize, members: Vec<OneMember> },
}

/// Answers an event, if its client wants that; an error is told in any case.
pub(super) fn send(socket: &Socket, event: &str, ack: Option<Ack>, answer: Result<Answer, Problem>) {
    let sent = match (ack, answer) {
        (Some(ack), Ok(answer)) => ack.send(Success { status: "ok", answer }).map_err(EmitError::from),
        (Some(ack), Err(problem)) => {
            let failure = Failure { status: "error", error: document(&problem) };
            ack.send(failure).map_err(EmitError::from)
        }
        (None, Ok(_)) => Ok(()),
        (None, Err(problem)) => {
            let error = ErrorEvent { event, error: document(&problem) };
            socket.emit("antiphon.error", error)
        }
    };
    match sent {
        Ok(()) | Err(EmitError::Disconnected) => {}
        Err(error) => tracing::error!(%error, "an answer could not be sent"),
    }
}

#[derive(Serialize)]
struct Success {
    status: &'static str,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Failure {
    status: &'static str,
    error: Document,
}

/// A problem document.
type Document = serde_json::Map<String, serde_json::Value>;

/// What nobody awaits an answer to: the problem document, and which event it is about.
#[derive(Serialize)]
struct ErrorEvent<'a> {
    event: &'a str,
    #[serde(flatten)]
    error: Document,
}

fn document(problem: &Problem) -> Document {
    serde_json::from_slice(&problem.to_json()).unwrap_or_default()
}

/// A position: digits, as a string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits(pub(super) Position);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// JSON as it is.
#[derive(Debug)]
pub(super) struct Json(RawJson);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.0.as_str()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A channel, by its name and the flags that are set.
#[derive(Debug, Serialize)]
pub(super) struct Channel {
    channel: Box<str>,
    #[serde(skip_serializing_if = "is_not")]
    system: bool,
    #[serde(skip_serializing_if = "is_not")]
    consumer: bool,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

impl Channel {
    fn of(id: &ChannelId) -> Channel {
        Channel {
            channel: id.name().into(),
            system: id.flags().contains(ChannelFlags::SYSTEM),
            consumer: id.flags().contains(ChannelFlags::CONSUMER),
        }
    }
}

/// A channel that is listened to. What was missed has been sent before.
#[derive(Debug, Serialize)]
pub(super) struct On {
    #[serde(flatten)]
    channel: Channel,
    /// Live from here on.
    position: Digits,
    gap: bool,
    /// With a gap: everything from here on is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<Digits>,
}

/// What a payload is for JavaScript: JSON as it is, a string, or bytes; several arguments are an array.
#[derive(Debug)]
pub(super) struct Value {
    payload: Payload,
    form: BytesForm,
}

/// How an answer has bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BytesForm {
    Attachments,
    /// As other dialects show them: clients take no packet that has more attachments than [`Limits::attachments_max`].
    Base64,
}

impl BytesForm {
    /// The form for an answer with all of these.
    fn of<'a>(payloads: impl Iterator<Item = &'a Payload>) -> BytesForm {
        let attachments = payloads.map(|payload| match payload {
            Payload::Json(_) | Payload::Text(_) => 0,
            Payload::Binary(_) => 1,
            Payload::Arguments(arguments) => arguments.attachments().len(),
        });
        match attachments.sum::<usize>() > Limits::default().attachments_max {
            true => BytesForm::Base64,
            false => BytesForm::Attachments,
        }
    }

    /// What is said beside a payload that is a string of base64.
    fn encoding(self, payload: &Payload) -> Option<&'static str> {
        (self == BytesForm::Base64 && matches!(payload, Payload::Binary(_))).then_some("base64")
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.payload, self.form) {
            (Payload::Json(json), _) => Json(json.clone()).serialize(serializer),
            (Payload::Text(text), _) => serializer.serialize_str(&String::from_utf8_lossy(text)),
            (Payload::Binary(bytes), BytesForm::Attachments) => Binary(bytes.clone()).serialize(serializer),
            (Payload::Binary(bytes), BytesForm::Base64) => serializer.serialize_str(&STANDARD.encode(bytes)),
            (Payload::Arguments(_), BytesForm::Attachments) => {
                EventArguments::of_payload(&self.payload).serialize(serializer)
            }
            (Payload::Arguments(arguments), BytesForm::Base64) => {
                Json(arguments.to_json()).serialize(serializer)
            }
        }
    }
}

/// A reply to a broadcast.
#[derive(Debug, Serialize)]
pub(super) struct OneReply {
    payload: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<Arc<str>>,
}

/// A message of the past.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    position: Digits,
    #[serde(flatten)]
    channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    name: Box<str>,
    payload: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<Arc<str>>,
    #[serde(skip_serializing_if = "is_not")]
    expects_replies: bool,
}

/// Somebody who is there.
#[derive(Debug, Serialize)]
pub(super) struct OneMember {
    identity: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Json>,
    sessions: usize,
}

impl Answer {
    pub(super) fn subscribed(channels: &[ListeningOn]) -> Answer {
        let on = |on: &ListeningOn| On {
            channel: Channel::of(&on.channel),
            position: Digits(on.position),
            gap: on.gap.is_some(),
            resumed: on.gap.map(|gap| Digits(gap.resumed)),
        };
        Answer::Subscribed { channels: channels.iter().map(on).collect() }
    }

    pub(super) fn published(receipt: Receipt) -> Answer {
        Answer::Published { position: Digits(receipt.position), stored: receipt.stored }
    }

    pub(super) fn replies(position: Position, replies: Vec<Reply>, complete: bool, stored: bool) -> Answer {
        let form = BytesForm::of(replies.iter().map(|reply| &reply.payload));
        let reply = |reply: Reply| OneReply {
            encoding: form.encoding(&reply.payload),
            payload: Value { payload: reply.payload, form },
            publisher: reply.publisher.map(|publisher| Arc::clone(&publisher.id)),
        };
        let replies = replies.into_iter().map(reply).collect();
        Answer::Replies { position: Digits(position), replies, complete, stored }
    }

    /// As much of a history as fits, one message in any case: the oldest after a position, or else the newest.
    pub(super) fn history(history: node::History, window: Window, bytes_max: usize) -> Answer {
        let node::History { mut publications, mut position, gap, .. } = history;
        let mut bytes = 0;
        let mut fits = |publication: &Arc<Publication>| {
            bytes += publication.memory_bytes();
            bytes <= bytes_max
        };
        match window {
            Window::After(_) => {
                let fitting = publications.iter().take_while(|one| fits(one)).count().max(1);
                if fitting < publications.len() {
                    publications.truncate(fitting);
                    position = publications[fitting - 1].position;
                }
            }
            Window::Newest => {
                let fitting = publications.iter().rev().take_while(|one| fits(one)).count().max(1);
                let excess = publications.len().saturating_sub(fitting);
                publications.drain(..excess);
            }
        }
        let form = BytesForm::of(publications.iter().map(|publication| &publication.payload));
        let messages = publications.iter().map(|publication| Message::of(publication, form)).collect();
        Answer::History { messages, position: Digits(position), gap }
    }

    /// As many members as fit; the occupancy is that of all.
    pub(super) fn presence(occupancy: usize, mut members: Vec<Member>, bytes_max: usize) -> Answer {
        let mut bytes = 0;
        let fitting = members.iter().take_while(|member| {
            let state = member.state.as_ref().map_or(0, |state| state.as_bytes().len());
            bytes += size_of::<Member>() + member.identity.id.len() + state;
            bytes <= bytes_max
        });
        members.truncate(fitting.count());
        let member = |member: Member| OneMember {
            identity: Arc::clone(&member.identity.id),
            state: member.state.map(Json),
            sessions: member.sessions,
        };
        Answer::Presence { occupancy, members: members.into_iter().map(member).collect() }
    }
}

impl Message {
    fn of(publication: &Publication, form: BytesForm) -> Message {
        Message {
            position: Digits(publication.position),
            channel: Channel::of(&publication.channel),
            kind: (publication.kind != Kind::Message).then(|| publication.kind.as_str()),
            name: publication.name_or_default().into(),
            payload: Value { payload: publication.payload.clone(), form },
            encoding: form.encoding(&publication.payload),
            meta: publication.meta.clone().map(Json),
            publisher: publication.publisher.as_ref().map(|publisher| Arc::clone(&publisher.id)),
            expects_replies: publication.expects == Expects::Replies,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn sent(answer: Answer) -> (String, usize) {
        let arguments = EventArguments::of(&Success { status: "ok", answer }).unwrap();
        (arguments.iter().next().unwrap().to_owned(), arguments.attachments().len())
    }

    #[test]
    fn answers_are_one_object_with_a_status() {
        assert_eq!(sent(Answer::Done {}), (r#"{"status":"ok"}"#.into(), 0));
        let receipt = Receipt { position: Position(17), stored: true, duplicate: false };
        let expected = r#"{"status":"ok","position":"17","stored":true}"#;
        assert_eq!(sent(Answer::published(receipt)), (expected.into(), 0));
    }

    #[test]
    fn bytes_in_an_answer_are_attachments() {
        let reply = |payload| Reply { payload, publisher: None };
        let json = RawJson::new(Bytes::from_static(b"{\"a\":1}")).unwrap();
        let replies = vec![
            reply(Payload::Binary(Bytes::from_static(b"\x00"))),
            reply(Payload::Json(json)),
            reply(Payload::Text("x".into())),
        ];
        let expected = concat!(
            r#"{"status":"ok","position":"17","replies":[{"payload":{"_placeholder":true,"num":0}},"#,
            r#"{"payload":{"a":1}},{"payload":"x"}],"complete":true,"stored":false}"#
        );
        assert_eq!(sent(Answer::replies(Position(17), replies, true, false)), (expected.into(), 1));
    }

    #[test]
    fn more_bytes_than_clients_take_are_base64() {
        let reply = |payload| Reply { payload, publisher: None };
        let many = |count: usize| vec![reply(Payload::Binary(Bytes::from_static(b"a"))); count];
        assert_eq!(sent(Answer::replies(Position(1), many(10), true, false)).1, 10);
        let (json, attachments) = sent(Answer::replies(Position(1), many(11), true, false));
        assert_eq!(attachments, 0);
        assert_eq!(json.matches(r#"{"payload":"YQ==","encoding":"base64"}"#).count(), 11, "{json}");
    }
}
