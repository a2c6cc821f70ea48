mod ndjson;
mod poll;
mod raw;
mod sse;
mod v1;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::{Api, Lost, Position, encoded};

/// What to listen to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub api: Api,
    /// Which channel.
    pub channel: String,
}

impl Target {
    /// The channel's path, with a query.
    pub fn path(&self, query: &str) -> String {
        self.path_below("", query)
    }

    /// The path of something below the channel, such as `/presence`, with a query.
    pub fn path_below(&self, below: &str, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/v1/channels/{}{below}{mark}{query}", encoded(&self.channel))
    }
}

/// A way to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    /// Regular polling.
    Polling,
    /// Long polling.
    LongPolling,
    /// Server-sent events.
    Sse,
    /// HTTP streaming.
    Ndjson,
    /// WebSocket whose messages are payloads.
    Raw,
    /// WebSocket with the subprotocol `antiphon.v1`.
    V1,
}

impl Technique {
    /// All of them.
    pub const ALL: [Technique; 6] = [
        Technique::Polling,
        Technique::LongPolling,
        Technique::Sse,
        Technique::Ndjson,
        Technique::Raw,
        Technique::V1,
    ];

    /// A client that listens in this way.
    pub fn listener(self, target: &Target) -> Box<dyn Listener> {
        match self {
            Technique::Polling => Box::new(poll::PollListener::new(target, "")),
            Technique::LongPolling => Box::new(poll::PollListener::new(target, "&wait=10s")),
            Technique::Sse => Box::new(sse::SseListener::new(target)),
            Technique::Ndjson => Box::new(ndjson::NdjsonListener::new(target)),
            Technique::Raw => Box::new(raw::RawListener::new(target)),
            Technique::V1 => Box::new(v1::V1Listener::new(target)),
        }
    }
}

/// Something that a listener heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A message. A raw WebSocket tells no positions.
    Message {
        /// Where it stands.
        position: Option<Position>,
        /// Its payload.
        payload: Value,
    },
    /// Something that was asked for is no longer kept.
    Gap,
    /// The server is about to end the connection.
    Closing(String),
}

/// A client that listens to a channel in one way.
pub trait Listener: Send {
    /// Connects, to hear all that came after `since`.
    ///
    /// # Errors
    /// The server cannot be reached or does not serve.
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>>;

    /// What comes next, at least one thing. Called only after `connect`, until it fails.
    ///
    /// # Errors
    /// The connection is over.
    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>>;
}

/// A message of the JSON form that most techniques share.
fn message(value: &Value) -> Heard {
    Heard::Message { position: Some(crate::position(&value["position"])), payload: value["payload"].clone() }
}

fn not_connected() -> Lost {
    Lost("not connected".into())
}
