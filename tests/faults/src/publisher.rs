use antiphon_tests::{Api, Connection, Lost, Position, V1, encoded, position};
use serde_json::{Value, json};

use crate::socketio::SocketIo;

/// A protocol to publish by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    /// `POST`
    Native,
    /// `antiphon.v1`
    V1,
    /// PubNub's publish
    PubNub,
    /// Socket.IO's `publish`
    SocketIo,
    /// An EXP broadcast, whose answer tells of responses and nothing of the store
    Exp,
}

/// What a publisher was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It is taken. The position is none where the protocol tells none.
    Taken(Option<Position>),
    /// It is refused, or delivered and not stored: the status, and the word for it.
    Refused(u16, String),
    /// There is no answer.
    Lost(String),
}

impl Dialect {
    /// All of them.
    pub(crate) const ALL: [Dialect; 5] =
        [Dialect::Native, Dialect::V1, Dialect::PubNub, Dialect::SocketIo, Dialect::Exp];

    /// Whether a message can be sent again under the same key, so that it is there once.
    pub(crate) fn has_keys(self) -> bool {
        matches!(self, Dialect::Native | Dialect::V1 | Dialect::SocketIo)
    }

    /// What a person calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dialect::Native => "POST",
            Dialect::V1 => "antiphon.v1",
            Dialect::PubNub => "PubNub",
            Dialect::SocketIo => "Socket.IO",
            Dialect::Exp => "EXP",
        }
    }
}

/// A client that publishes, and connects again whenever it has lost its connection.
pub(crate) struct Publisher {
    pub(crate) dialect: Dialect,
    api: Api,
    channel: String,
    pub(crate) name: String,
    link: Option<Link>,
}

enum Link {
    Http(Connection),
    V1(Box<V1>),
    SocketIo(Box<SocketIo>),
}

impl Publisher {
    /// A publisher of this name, who is not connected yet.
    pub(crate) fn new(dialect: Dialect, api: &Api, channel: &str, name: &str) -> Publisher {
        let (channel, name) = (channel.to_owned(), name.to_owned());
        Publisher { dialect, api: api.clone(), channel, name, link: None }
    }

    /// Publishes a payload once. The key is left out where the protocol has none.
    pub(crate) async fn publish(&mut self, payload: &Value, key: &str) -> Answer {
        match self.attempt(payload, key).await {
            Ok(answer) => answer,
            Err(Lost(why)) => {
                self.link = None;
                Answer::Lost(why)
            }
        }
    }

    async fn attempt(&mut self, payload: &Value, key: &str) -> Result<Answer, Lost> {
        if self.link.is_none() {
            self.link = Some(self.connect().await?);
        }
        let (channel, name) = (encoded(&self.channel), encoded(&self.name));
        match (self.link.as_mut().expect("it is connected"), self.dialect) {
            (Link::Http(connection), Dialect::Native) => {
                let call = self.api.post(&format!("/v1/channels/{channel}?identity={name}")).json(payload);
                let answer = call.header("idempotency-key", key).try_send_over(connection).await?;
                Ok(match answer.status.as_u16() {
                    201 => Answer::Taken(Some(position(&answer.json()["position"]))),
                    status => Answer::Refused(status, word(&answer.json())),
                })
            }
            (Link::Http(connection), Dialect::PubNub) => {
                let payload = encoded(&payload.to_string());
                let path = format!("/publish/demo/demo/0/{channel}/0/{payload}?uuid={name}");
                let answer = self.api.get(&path).try_send_over(connection).await?;
                Ok(match answer.status.as_u16() {
                    200 => Answer::Taken(Some(position(&answer.json()[2]))),
                    status => Answer::Refused(status, String::new()),
                })
            }
            (Link::Http(connection), _) => {
                let path = format!("/api/networks/current/broadcasts?timeout=20&identity={name}");
                let body = json!({"channel": {"name": self.channel}, "payload": payload});
                let answer = self.api.post(&path).json(&body).try_send_over(connection).await?;
                Ok(match answer.status.as_u16() {
                    200 => Answer::Taken(None),
                    status => {
                        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
                        Answer::Refused(status, code)
                    }
                })
            }
            (Link::V1(client), _) => {
                let publish = json!({"type": "publish", "channel": self.channel, "payload": payload,
                    "idempotency_key": key});
                let answer = client.try_ask(publish).await?;
                Ok(told(&answer, answer["type"] == "ok"))
            }
            (Link::SocketIo(client), _) => {
                let publish = json!({"channel": self.channel, "payload": payload, "idempotency_key": key});
                let answer = client.emit("publish", &publish).await?;
                Ok(told(&answer, answer["status"] == "ok"))
            }
        }
    }

    async fn connect(&self) -> Result<Link, Lost> {
        match self.dialect {
            Dialect::Native | Dialect::PubNub | Dialect::Exp => Ok(Link::Http(self.api.connect().await?)),
            Dialect::V1 => {
                let connected =
                    V1::try_connect(&self.api, &format!("identity={}", encoded(&self.name))).await;
                Ok(Link::V1(Box::new(connected.map_err(|refused| Lost(format!("{refused:?}")))?)))
            }
            Dialect::SocketIo => {
                Ok(Link::SocketIo(Box::new(SocketIo::connect(&self.api, &self.name).await?)))
            }
        }
    }
}

/// An answer that is JSON with either a position or an `error`.
fn told(answer: &Value, is_taken: bool) -> Answer {
    if is_taken {
        return Answer::Taken(Some(position(&answer["position"])));
    }
    let error = &answer["error"];
    Answer::Refused(error["status"].as_u64().unwrap_or_default() as u16, word(error))
}

/// The word that a problem document is decided by.
fn word(problem: &Value) -> String {
    let kind = problem["type"].as_str().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default().to_owned()
}
