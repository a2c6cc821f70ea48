//! How long polls are asked for, and how messages are published, in each of the two protocols.

use serde::Deserialize;

use super::number_of;
use crate::args::{LongPollArgs, PollProtocol};
use crate::http::{Answer, get, post};
use crate::target::Target;

/// How long the server may let a poll wait.
const WAIT: &str = "60s";

/// What is needed to write requests.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    protocol: PollProtocol,
    host: String,
    token: Option<String>,
    channel: String,
    publish_key: String,
    subscribe_key: String,
}

/// What a poll is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Polled {
    /// From where to ask on.
    pub(super) position: String,
    /// The numbers of the messages.
    pub(super) messages: Vec<u64>,
}

impl Dialect {
    pub(super) fn new(args: &LongPollArgs, target: &Target) -> Self {
        Self {
            protocol: args.protocol,
            host: target.host().to_owned(),
            token: target.token().map(str::to_owned),
            channel: match args.protocol {
                PollProtocol::V1 => format!("{}.poll", target.channel),
                PollProtocol::PubNub => target.channel.clone(),
            },
            publish_key: args.publish_key.clone(),
            subscribe_key: args.subscribe_key.clone(),
        }
    }

    /// What a subscriber asks first: for a position.
    pub(super) fn first(&self, subscriber: usize) -> Vec<u8> {
        let Self { host, channel, subscribe_key, .. } = self;
        match self.protocol {
            PollProtocol::V1 => {
                let path = format!("/v1/channels/{channel}?limit=1&identity=bench-{subscriber:05}");
                get(host, &path, self.token.as_deref())
            }
            PollProtocol::PubNub => {
                // With a region it would be one who is subscribed already.
                let path = format!(
                    "/v2/subscribe/{subscribe_key}/{channel}/0?heartbeat=300&tt=0&uuid=bench-{subscriber:05}&pnsdk=antiphon-bench"
                );
                get(host, &path, None)
            }
        }
    }

    /// What it asks from then on: what stands before the position, and what behind it.
    pub(super) fn poll(&self, subscriber: usize) -> (Vec<u8>, Vec<u8>) {
        let Self { host, channel, subscribe_key, .. } = self;
        let (before, after, token) = match self.protocol {
            PollProtocol::V1 => (
                format!("/v1/channels/{channel}?since="),
                format!("&wait={WAIT}&limit=1000&identity=bench-{subscriber:05}"),
                self.token.as_deref(),
            ),
            PollProtocol::PubNub => (
                format!("/v2/subscribe/{subscribe_key}/{channel}/0?heartbeat=300&tt="),
                format!("&tr=1&uuid=bench-{subscriber:05}&pnsdk=antiphon-bench"),
                None,
            ),
        };
        let before_bytes = "GET ".len() + before.len();
        let mut request = get(host, &format!("{before}{after}"), token);
        let after = request.split_off(before_bytes);
        (request, after)
    }

    /// What a publisher sends.
    pub(super) fn publish(&self, publisher: usize, message: &str) -> Vec<u8> {
        let Self { host, channel, publish_key, subscribe_key, .. } = self;
        match self.protocol {
            PollProtocol::V1 => {
                let path = format!("/v1/channels/{channel}?identity=bench-publisher-{publisher}");
                post(host, &path, self.token.as_deref(), format!("\"{message}\"").as_bytes())
            }
            PollProtocol::PubNub => {
                let path = format!(
                    "/publish/{publish_key}/{subscribe_key}/0/{channel}/0/%22{message}%22?uuid=bench-publisher-{publisher}"
                );
                get(host, &path, None)
            }
        }
    }

    /// Whether a publish was taken.
    pub(super) fn is_taken(&self, answer: &Answer) -> bool {
        match self.protocol {
            PollProtocol::V1 => answer.status == 201,
            PollProtocol::PubNub => answer.status == 200,
        }
    }

    /// Reads the answer to a poll, or to the first request, whose messages are of before; none if it is no such answer.
    pub(super) fn read(&self, answer: &Answer) -> Option<Polled> {
        if answer.status != 200 {
            return None;
        }
        match self.protocol {
            PollProtocol::V1 => {
                let page: Page<'_> =
                    serde_json::from_slice(&answer.body).ok().filter(|page: &Page<'_>| !page.gap)?;
                let messages = page.messages.iter().map(|message| number_of(message.payload));
                Some(Polled {
                    position: page.position.to_owned(),
                    messages: messages.collect::<Option<_>>()?,
                })
            }
            PollProtocol::PubNub => {
                let answered: Answered<'_> = serde_json::from_slice(&answer.body).ok()?;
                let messages = answered.m.iter().map(|envelope| number_of(envelope.d));
                Some(Polled { position: answered.t.t.to_owned(), messages: messages.collect::<Option<_>>()? })
            }
        }
    }
}

/// An answer of the native protocol.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    position: &'a str,
    gap: bool,
}

#[derive(Deserialize)]
struct Message<'a> {
    payload: &'a str,
}

/// An answer of PubNub's.
#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    t: Timetoken<'a>,
    m: Vec<Envelope<'a>>,
}

#[derive(Deserialize)]
struct Timetoken<'a> {
    t: &'a str,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    d: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(protocol: PollProtocol) -> Dialect {
        Dialect {
            protocol,
            host: "h".to_owned(),
            token: None,
            channel: "c".to_owned(),
            publish_key: "p".to_owned(),
            subscribe_key: "s".to_owned(),
        }
    }

    fn read(protocol: PollProtocol, status: u16, body: &str) -> Option<Polled> {
        dialect(protocol).read(&Answer { status, body: body.into() })
    }

    #[test]
    fn an_answer_has_messages_and_the_next_position() {
        let polled = Some(Polled { position: "17".to_owned(), messages: vec![3, 4] });
        let body =
            r#"{"t":{"t":"17","r":1},"m":[{"c":"x","d":"0000000000000003ee"},{"d":"0000000000000004"}]}"#;
        assert_eq!(read(PollProtocol::PubNub, 200, body), polled);
        assert_eq!(read(PollProtocol::PubNub, 403, body), None);
        assert_eq!(read(PollProtocol::PubNub, 200, r#"{"t":{"t":"17","r":1},"m":[{"d":"4"}]}"#), None);
        assert_eq!(read(PollProtocol::PubNub, 200, "[]"), None);
        let body = r#"{"messages":[{"position":"16","payload":"0000000000000003ee"},{"payload":"0000000000000004"}],"position":"17","gap":false}"#;
        assert_eq!(read(PollProtocol::V1, 200, body), polled);
        assert_eq!(read(PollProtocol::V1, 200, &body.replace("false", "true")), None);
        assert_eq!(read(PollProtocol::V1, 304, body), None);
    }

    #[test]
    fn a_poll_is_split_where_the_position_stands() {
        for (protocol, path) in [
            (PollProtocol::V1, "/v1/channels/c?since=7&wait=60s&limit=1000&identity=bench-00003"),
            (
                PollProtocol::PubNub,
                "/v2/subscribe/s/c/0?heartbeat=300&tt=7&tr=1&uuid=bench-00003&pnsdk=antiphon-bench",
            ),
        ] {
            let (before, after) = dialect(protocol).poll(3);
            assert_eq!([before, b"7".to_vec(), after].concat(), get("h", path, None));
        }
    }
}
