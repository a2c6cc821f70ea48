use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Heard, Listener, Target, not_connected};
use crate::{Frame, Lost, Position, WebSocket, position};

/// A raw WebSocket. It is told no positions, so it comes back by looking up in the history where the last payload that it
/// heard stands; payloads therefore have to be different from one another.
pub(super) struct RawListener {
    target: Target,
    last: Option<Value>,
    socket: Option<WebSocket>,
}

impl RawListener {
    pub(super) fn new(target: &Target) -> RawListener {
        RawListener { target: target.clone(), last: None, socket: None }
    }

    async fn look_up(&self, payload: &Value) -> Result<Position, Lost> {
        let mut since = 0;
        loop {
            let path = self.target.path(&format!("since={since}&limit=1000"));
            let answer = self.target.api.get(&path).try_send().await?;
            if answer.status != http::StatusCode::OK {
                return Err(Lost(format!("{}: {}", answer.status, answer.text())));
            }
            let page = answer.json();
            let messages = page["messages"].as_array().cloned().unwrap_or_default();
            if let Some(found) = messages.iter().find(|message| message["payload"] == *payload) {
                return Ok(position(&found["position"]));
            }
            assert!(!messages.is_empty(), "{payload} was delivered, but is not in the history");
            since = position(&page["position"]);
        }
    }
}

impl Listener for RawListener {
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>> {
        async move {
            let since = match &self.last {
                Some(payload) => self.look_up(payload).await?,
                None => since,
            };
            let path = self.target.path(&format!("since={since}"));
            let connected = WebSocket::connect(self.target.api.address(), &path, None, &[]).await;
            self.socket = Some(connected.map_err(|refused| Lost(format!("{refused:?}")))?);
            Ok(())
        }
        .boxed()
    }

    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>> {
        async move {
            let socket = self.socket.as_mut().ok_or_else(not_connected)?;
            let payload = match socket.try_next().await {
                Ok(Frame::Text(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
                Ok(Frame::Binary(bytes)) => Value::from(&bytes[..]),
                Err(closed) => {
                    self.socket = None;
                    return match closed.code {
                        Some(_) => Ok(vec![Heard::Closing(closed.reason)]),
                        None => Err(Lost(closed.reason)),
                    };
                }
            };
            self.last = Some(payload.clone());
            Ok(vec![Heard::Message { position: None, payload }])
        }
        .boxed()
    }
}
