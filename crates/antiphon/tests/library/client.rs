//! A client of Socket.IO in a few lines: what it says and hears is text as the wire has it.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything takes, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client(WebSocketStream<TcpStream>);

/// What comes: text without the type of its Engine.IO packet, or an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Bytes(Vec<u8>),
    Closed,
}

impl Client {
    /// Opens a connection, in no namespace yet.
    pub(crate) async fn open(server: SocketAddr) -> Client {
        let mut client = Client::websocket(server, "").await;
        let Message::Text(open) = client.message().await.unwrap() else { panic!("no open packet") };
        assert!(open.starts_with("0{"), "{open}");
        client
    }

    /// Opens a WebSocket for a session that polls, and goes over to it.
    pub(crate) async fn upgrade(server: SocketAddr, sid: &str) -> Client {
        let mut client = Client::probe(server, sid).await;
        assert_eq!(client.message().await, Some(Message::text("3probe")));
        client.0.send(Message::text("5")).await.unwrap();
        client
    }

    /// Opens a WebSocket for a session that polls.
    pub(crate) async fn probe(server: SocketAddr, sid: &str) -> Client {
        let mut client = Client::websocket(server, &format!("&sid={sid}")).await;
        // One that is refused may be closed by then.
        let _ = client.0.send(Message::text("2probe")).await;
        client
    }

    async fn websocket(server: SocketAddr, query: &str) -> Client {
        let socket = TcpStream::connect(server).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket{query}");
        Client(client_async(url, socket).await.unwrap().0)
    }

    /// In the namespace `/`.
    pub(crate) async fn connect(server: SocketAddr) -> Client {
        let mut client = Client::open(server).await;
        client.join("0").await;
        client
    }

    /// Asks for a namespace: `packet` is `0`, `0/name,` or either with auth behind it. The id of the socket.
    pub(crate) async fn join(&mut self, packet: &str) -> String {
        self.say(packet).await;
        let answer = self.hear().await;
        let json = answer.find('{').unwrap_or_else(|| panic!("refused: {answer}"));
        assert!(answer.starts_with('0'), "refused: {answer}");
        let answer: Value = serde_json::from_str(&answer[json..]).unwrap();
        answer["sid"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn say(&mut self, packet: &str) {
        self.0.send(Message::text(format!("4{packet}"))).await.unwrap();
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next packet, which has to be text.
    pub(crate) async fn hear(&mut self) -> String {
        match self.next().await {
            Heard::Text(text) => text,
            other => panic!("{other:?} where text is due"),
        }
    }

    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            match self.message().await {
                Some(Message::Text(text)) if text.as_str() == "2" => {
                    self.0.send(Message::text("3")).await.unwrap();
                }
                Some(Message::Text(text)) if text.as_str() == "1" => {}
                Some(Message::Text(text)) => {
                    return Heard::Text(text.strip_prefix('4').expect("a message").to_owned());
                }
                Some(Message::Binary(bytes)) => return Heard::Bytes(bytes.to_vec()),
                None | Some(Message::Close(_)) => return Heard::Closed,
                Some(other) => panic!("{other:?} came"),
            }
        }
    }

    /// Says one thing and hears one.
    pub(crate) async fn ask(&mut self, packet: &str) -> String {
        self.say(packet).await;
        self.hear().await
    }

    pub(crate) async fn close(mut self) {
        let _ = self.0.close(None).await;
    }

    async fn message(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("something comes in time").and_then(Result::ok)
    }
}
