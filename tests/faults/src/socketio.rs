use std::time::Duration;

use antiphon_tests::{Api, Lost, WebSocket};
use serde_json::{Value, json};

/// How long an acknowledgement may take: longer than any fault of the disk that a case makes.
const PATIENCE: Duration = Duration::from_secs(25);

/// A Socket.IO client over WebSocket that emits and waits for acknowledgements.
pub(crate) struct SocketIo {
    socket: WebSocket,
    last_id: u64,
}

impl SocketIo {
    /// Connects to `/` under a name.
    ///
    /// # Errors
    /// The server does not take it.
    pub(crate) async fn connect(api: &Api, identity: &str) -> Result<SocketIo, Lost> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let socket = WebSocket::connect(api.address(), path, None, &[]).await;
        let socket = socket.map_err(|refused| Lost(format!("{refused:?}")))?;
        let mut client = SocketIo { socket, last_id: 0 };
        client.packet("0").await?;
        client.socket.send_text(format!("40{}", json!({"identity": identity}))).await?;
        client.packet("40").await?;
        Ok(client)
    }

    /// Emits an event and waits for what acknowledges it.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) async fn emit(&mut self, event: &str, argument: &Value) -> Result<Value, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        self.socket.send_text(format!("42{id}{}", json!([event, argument]))).await?;
        let answer = self.packet(&format!("43{id}")).await?;
        let mut answer: Value = serde_json::from_str(&answer)?;
        Ok(answer[0].take())
    }

    /// Answers pings until something else comes: why the connection is over, for one. Without limit of time.
    pub(crate) async fn idle(&mut self) -> Lost {
        loop {
            match self.packet("42").await {
                Err(Lost(why)) if why == "no 42" => {}
                Err(lost) => return lost,
                Ok(event) => return Lost(event),
            }
        }
    }

    /// The rest of the next packet that begins so; pings are answered, others passed over.
    async fn packet(&mut self, start: &str) -> Result<String, Lost> {
        let read = async {
            loop {
                let frame = self.socket.try_next().await.map_err(|closed| Lost(format!("{closed:?}")))?;
                let text = frame.text();
                if text == "2" {
                    self.socket.send_text("3").await?;
                } else if let Some(rest) = text.strip_prefix(start) {
                    return Ok(rest.to_owned());
                } else if text.starts_with("44") || text == "41" || text == "1" {
                    return Err(Lost(text.to_owned()));
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(Lost(format!("no {start}"))))
    }
}
