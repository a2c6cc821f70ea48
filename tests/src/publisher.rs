use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::{Connection, Frame, Lost, Position, Target, V1, WebSocket, encoded, position};

/// How soon a publisher that was refused tries again.
const RETRY: Duration = Duration::from_millis(20);

/// A way to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `POST`
    Post,
    /// `antiphon.v1`
    V1,
    /// A raw WebSocket, which acknowledges nothing: hearing oneself does.
    Raw,
}

/// A client that publishes one message after another and repeats each until it knows that it was taken. It always
/// names itself in the same way: keys belong to who publishes.
pub struct Publisher {
    way: Way,
    target: Target,
    name: String,
    link: Option<Link>,
    /// How often a message was sent once more.
    pub retries: usize,
}

enum Link {
    Post(Connection),
    V1(Box<V1>),
    Raw(Box<WebSocket>),
}

/// The payload of a publisher's message.
pub fn numbered(publisher: &str, number: usize) -> Value {
    json!({"publisher": publisher, "number": number})
}

/// The number of a message of this publisher.
pub fn number_of(publisher: &str, payload: &Value) -> Option<usize> {
    (payload["publisher"] == publisher).then(|| payload["number"].as_u64())?.map(|number| number as usize)
}

impl Publisher {
    /// A publisher of this name.
    pub fn new(way: Way, target: &Target, name: &str) -> Publisher {
        Publisher { way, target: target.clone(), name: name.to_owned(), link: None, retries: 0 }
    }

    /// Publishes its message of this number, as often as it takes. The position is none over a raw WebSocket.
    ///
    /// # Panics
    /// It is refused for good.
    pub async fn publish(&mut self, number: usize) -> Option<Position> {
        let payload = numbered(&self.name, number);
        let key = format!("{}-{number}", self.name);
        let mut attempt = 0;
        loop {
            match self.attempt(&payload, &key, attempt).await {
                Ok(position) => return position,
                Err(_) => {
                    self.link = None;
                    self.retries += 1;
                    attempt += 1;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        payload: &Value,
        key: &str,
        attempt: usize,
    ) -> Result<Option<Position>, Lost> {
        if self.link.is_none() {
            self.link = Some(self.connect().await?);
            // Nothing that an earlier connection sent can still be on its way when the server has answered this.
            if self.way == Way::Raw && attempt > 0 && self.is_in_history(payload).await? {
                return Ok(None);
            }
        }
        let path = self.path();
        match self.link.as_mut() {
            Some(Link::Post(connection)) => {
                let call = self.target.api.post(&path).json(payload);
                let answer = call.header("idempotency-key", key).try_send_over(connection).await?;
                match answer.status {
                    StatusCode::CREATED => Ok(Some(position(&answer.json()["position"]))),
                    status if status.is_server_error() => Err(Lost(answer.text())),
                    status => panic!("{key}: {status} {}", answer.text()),
                }
            }
            Some(Link::V1(client)) => {
                let publish = json!({"type": "publish", "channel": self.target.channel, "payload": payload,
                    "idempotency_key": key});
                let answer = client.try_ask(publish).await?;
                let status = answer["error"]["status"].as_u64();
                match answer["type"].as_str() {
                    Some("ok") => Ok(Some(position(&answer["position"]))),
                    _ if status.is_some_and(|status| status >= 500) => Err(Lost(answer.to_string())),
                    _ => panic!("{key}: {answer}"),
                }
            }
            Some(Link::Raw(socket)) => {
                socket.send_text(payload.to_string()).await?;
                loop {
                    let heard = socket.try_next().await.map_err(|closed| Lost(format!("{closed:?}")))?;
                    let Frame::Text(text) = heard else { continue };
                    if serde_json::from_str::<Value>(&text).is_ok_and(|heard| heard == *payload) {
                        return Ok(None);
                    }
                }
            }
            None => Err(Lost("not connected".into())),
        }
    }

    fn path(&self) -> String {
        self.target.path(&self.identity())
    }

    fn identity(&self) -> String {
        format!("identity={}", encoded(&self.name))
    }

    async fn connect(&self) -> Result<Link, Lost> {
        let api = &self.target.api;
        match self.way {
            Way::Post => Ok(Link::Post(api.connect().await?)),
            Way::V1 => {
                let connected = V1::try_connect(api, &self.identity()).await;
                Ok(Link::V1(Box::new(connected.map_err(|refused| Lost(format!("{refused:?}")))?)))
            }
            Way::Raw => {
                let connected = WebSocket::connect(api.address(), &self.path(), None, &[]).await;
                Ok(Link::Raw(Box::new(connected.map_err(|refused| Lost(format!("{refused:?}")))?)))
            }
        }
    }

    async fn is_in_history(&self, payload: &Value) -> Result<bool, Lost> {
        let answer = self.target.api.get(&self.target.path("limit=1000")).try_send().await?;
        if answer.status != StatusCode::OK {
            return Err(Lost(answer.text()));
        }
        let page = answer.json();
        let messages = page["messages"].as_array().cloned().unwrap_or_default();
        Ok(messages.iter().any(|message| message["payload"] == *payload))
    }
}
