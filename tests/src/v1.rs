use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::{Api, Closed, Frame, Lost, Refused, WebSocket, encoded, within};

/// A client of the subprotocol `antiphon.v1`.
pub struct V1 {
    socket: WebSocket,
    /// What the server said first.
    pub open: Value,
    last_id: u64,
    heard: VecDeque<Value>,
}

impl V1 {
    /// Connects. `query` is what stands behind `?`, such as `identity=alice`.
    ///
    /// # Errors
    /// The server does not switch to the subprotocol.
    pub async fn try_connect(api: &Api, query: &str) -> Result<V1, Refused> {
        let token = api.token().map(|token| format!("token={}", encoded(token)));
        let query: Vec<_> =
            token.as_deref().into_iter().chain((!query.is_empty()).then_some(query)).collect();
        let path = format!("/v1/events?{}", query.join("&"));
        let mut socket = WebSocket::connect(api.address(), &path, Some("antiphon.v1"), &[]).await?;
        if socket.protocol.as_deref() != Some("antiphon.v1") {
            return Err(Refused {
                status: None,
                problem: format!("switched to {:?}", socket.protocol).into(),
            });
        }
        let open = within("open", socket.try_next())
            .await
            .map_err(|closed| Refused { status: None, problem: format!("{closed:?}").into() })?;
        let open: Value = serde_json::from_str(open.text()).expect("the first message is JSON");
        assert_eq!(open["type"], "open", "{open}");
        Ok(V1 { socket, open, last_id: 0, heard: VecDeque::new() })
    }

    /// Connects.
    ///
    /// # Panics
    /// The server does not take it.
    pub async fn connect(api: &Api, query: &str) -> V1 {
        match V1::try_connect(api, query).await {
            Ok(client) => client,
            Err(refused) => panic!("not connected: {refused:?}"),
        }
    }

    /// Sends a message with an id of its own, and gives the id.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn send(&mut self, mut message: Value) -> Result<u64, Lost> {
        self.last_id += 1;
        message["id"] = self.last_id.into();
        self.socket.send_text(message.to_string()).await?;
        Ok(self.last_id)
    }

    /// Sends text as it is.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn send_raw(&mut self, text: &str) -> Result<(), Lost> {
        self.socket.send_text(text).await
    }

    /// Sends a message and waits for what answers it; what else comes is kept for [`V1::next`].
    ///
    /// # Errors
    /// The connection is over.
    pub async fn try_ask(&mut self, message: Value) -> Result<Value, Lost> {
        let described = format!("an answer to {message}");
        let id = self.send(message).await?;
        let answer = async {
            loop {
                let answer = self.receive().await.map_err(|closed| Lost(format!("{closed:?}")))?;
                let answers = matches!(answer["type"].as_str(), Some("ok" | "error" | "pong"));
                if answers && answer["id"] == id {
                    return Ok(answer);
                }
                self.heard.push_back(answer);
            }
        };
        within(&described, answer).await
    }

    /// Sends a message and waits for its `ok`.
    ///
    /// # Panics
    /// It is refused, or the connection ends.
    pub async fn ask(&mut self, message: Value) -> Value {
        match self.try_ask(message.clone()).await {
            Ok(answer) if answer["type"] == "ok" => answer,
            other => panic!("{message} is answered by {other:?}"),
        }
    }

    /// Subscribes to one channel, as it is described in JSON.
    ///
    /// # Panics
    /// It is refused.
    pub async fn subscribe(&mut self, channel: Value) -> Value {
        self.ask(json!({"type": "subscribe", "channels": [channel]})).await
    }

    /// The next message that was not an answer, however long it takes.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn try_next(&mut self) -> Result<Value, Closed> {
        match self.heard.pop_front() {
            Some(message) => Ok(message),
            None => self.receive().await,
        }
    }

    /// The next message that was not an answer.
    ///
    /// # Panics
    /// There is none.
    pub async fn next(&mut self) -> Value {
        match within("a message of antiphon.v1", self.try_next()).await {
            Ok(message) => message,
            Err(closed) => panic!("no message: {closed:?}"),
        }
    }

    /// Reads on until the server closes the connection; gives what it said last, and the close frame.
    pub async fn closed(&mut self) -> (Value, Closed) {
        let mut last = Value::Null;
        let read_on = async {
            loop {
                match self.try_next().await {
                    Ok(message) => last = message,
                    Err(closed) => return (last, closed),
                }
            }
        };
        within("the connection is closed", read_on).await
    }

    /// Closes the connection in good order.
    pub async fn close(self) {
        self.socket.close().await;
    }

    /// Breaks the connection off.
    pub fn abort(self) {
        self.socket.abort();
    }

    async fn receive(&mut self) -> Result<Value, Closed> {
        match self.socket.try_next().await? {
            Frame::Text(text) => Ok(serde_json::from_str(&text).expect("antiphon.v1 is JSON")),
            Frame::Binary(_) => panic!("antiphon.v1 has no binary messages"),
        }
    }
}
