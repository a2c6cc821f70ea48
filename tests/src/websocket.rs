use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::{Lost, within};

/// A WebSocket client.
pub struct WebSocket {
    socket: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
}

/// The server did not switch to WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it answered instead; none if it did not answer.
    pub status: Option<StatusCode>,
    /// The problem document, or what went wrong.
    pub problem: Value,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Of text.
    Text(String),
    /// Of bytes.
    Binary(Bytes),
}

impl Frame {
    /// Its text.
    ///
    /// # Panics
    /// It is binary.
    #[track_caller]
    pub fn text(&self) -> &str {
        match self {
            Frame::Text(text) => text,
            Frame::Binary(bytes) => panic!("{} bytes instead of text", bytes.len()),
        }
    }
}

/// The connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The code of the server's close frame; none if it broke off without one.
    pub code: Option<u16>,
    /// Its reason, or how it broke off.
    pub reason: String,
}

impl WebSocket {
    /// Connects, with these headers and subprotocol.
    ///
    /// # Errors
    /// The server does not switch.
    pub async fn connect(
        address: SocketAddr,
        path: &str,
        protocol: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket, Refused> {
        let uri = format!("ws://{address}{path}").parse().expect("a test's address is well-formed");
        let mut request = ClientRequestBuilder::new(uri);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        if let Some(protocol) = protocol {
            request = request.with_sub_protocol(protocol);
        }
        let handshake = async {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            client_async(request, socket).await
        };
        match within("a WebSocket handshake", handshake).await {
            Ok((socket, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
                Ok(WebSocket { socket, protocol })
            }
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let problem = serde_json::from_slice(body).unwrap_or(Value::Null);
                Err(Refused { status: Some(response.status()), problem })
            }
            Err(error) => Err(Refused { status: None, problem: error.to_string().into() }),
        }
    }

    /// Sends text.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), Lost> {
        Ok(within("sending", self.socket.send(Message::text(text.into()))).await?)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn send_binary(&mut self, bytes: impl Into<Bytes>) -> Result<(), Lost> {
        Ok(within("sending", self.socket.send(Message::binary(bytes.into()))).await?)
    }

    /// The next message, however long it takes.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn try_next(&mut self) -> Result<Frame, Closed> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Frame::Text(text.to_string())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Frame::Binary(bytes)),
                Some(Ok(Message::Close(frame))) => {
                    // The answer to the close frame is written by reading on.
                    while let Some(Ok(_)) = self.socket.next().await {}
                    let (code, reason) = frame
                        .map(|frame| (Some(u16::from(frame.code)), frame.reason.to_string()))
                        .unwrap_or((Some(1005), String::new()));
                    return Err(Closed { code, reason });
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Closed { code: None, reason: error.to_string() }),
                None => return Err(Closed { code: None, reason: "ended".into() }),
            }
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// There is none.
    pub async fn next(&mut self) -> Frame {
        match within("a message", self.try_next()).await {
            Ok(frame) => frame,
            Err(closed) => panic!("no message: {closed:?}"),
        }
    }

    /// Reads on until the server closes the connection.
    pub async fn closed(&mut self) -> Closed {
        let read_on = async {
            loop {
                if let Err(closed) = self.try_next().await {
                    return closed;
                }
            }
        };
        within("the connection is closed", read_on).await
    }

    /// Closes it in good order.
    pub async fn close(mut self) {
        // Whether the server still hears it is not this client's concern.
        let _ = within("closing", self.socket.close(None)).await;
        let _ = self.closed().await;
    }

    /// Breaks it off: no close frame, and a reset for whatever is unread.
    pub fn abort(self) {
        let socket = self.socket.into_inner();
        // Without the option it would be an ordinary end.
        let _ = socket.set_zero_linger();
    }
}
