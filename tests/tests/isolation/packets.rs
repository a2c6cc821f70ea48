//! The packets of Engine.IO and Socket.IO over a WebSocket, as far as these tests need them.

use std::net::SocketAddr;

use antiphon_tests::{Refused, WebSocket, encoded, within};
use serde_json::{Value, json};

/// Which revision of Engine.IO is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// Of the SDKs of EXP, and of Socket.IO 2: the namespace `/` is connected without being asked for.
    V3,
    /// Of Socket.IO from 3 on.
    V4,
}

/// A client that has opened its transport.
pub(crate) struct Packets {
    socket: WebSocket,
    last_ack: u64,
}

impl Packets {
    /// Opens a WebSocket; `query` is what stands behind the parameters of the transport.
    ///
    /// # Errors
    /// The server does not switch.
    pub(crate) async fn open(
        address: SocketAddr,
        revision: Revision,
        query: &str,
    ) -> Result<Packets, Refused> {
        let number = if revision == Revision::V3 { 3 } else { 4 };
        let path = format!("/socket.io/?EIO={number}&transport=websocket{query}");
        let socket = WebSocket::connect(address, &path, None, &[]).await?;
        let mut packets = Packets { socket, last_ack: 0 };
        let open = packets.next().await;
        assert!(open.starts_with("0{"), "{open}");
        Ok(packets)
    }

    /// Connects to a namespace by the later revision, and gives the packet that answers: `40…` or `44…`.
    pub(crate) async fn connect(&mut self, namespace: &str, auth: &Value) -> String {
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        self.send(format!("40{namespace}{auth}")).await;
        self.next().await
    }

    pub(crate) async fn send(&mut self, packet: String) {
        self.socket.send_text(packet).await.unwrap();
    }

    /// The next packet that is no ping; pings are answered.
    pub(crate) async fn next(&mut self) -> String {
        within("a packet", self.wait()).await
    }

    /// The same, however long it takes.
    pub(crate) async fn wait(&mut self) -> String {
        loop {
            let frame = self.socket.try_next().await.unwrap_or_else(|closed| panic!("{closed:?}"));
            match frame.text() {
                "2" => self.socket.send_text("3").await.unwrap(),
                text => return text.to_owned(),
            }
        }
    }

    /// Reads on until the server ends the connection; gives the packets that came.
    pub(crate) async fn closed(&mut self) -> Vec<String> {
        let mut packets = Vec::new();
        while let Ok(frame) = within("the end", self.socket.try_next()).await {
            packets.push(frame.text().to_owned());
        }
        packets
    }

    /// Emits an event to `/`, and gives the object that acknowledges it.
    pub(crate) async fn ask(&mut self, name: &str, argument: &Value) -> Value {
        self.last_ack += 1;
        let ack = self.last_ack;
        self.send(format!("42{ack}{}", json!([name, argument]))).await;
        loop {
            let packet = self.next().await;
            if let Some(answer) = packet.strip_prefix(&format!("43{ack}")) {
                return serde_json::from_str::<[Value; 1]>(answer).unwrap()[0].take();
            }
        }
    }
}

/// A client of Socket.IO that is connected to `/` with this credential.
pub(crate) async fn connected(address: SocketAddr, token: &str) -> Packets {
    let mut client = Packets::open(address, Revision::V4, "").await.unwrap();
    let answer = client.connect("/", &json!({"token": token})).await;
    assert!(answer.starts_with("40{"), "{answer}");
    client
}

/// A client of EXP with this session token.
pub(crate) async fn exp_socket(address: SocketAddr, token: &str) -> Packets {
    let query = format!("&token={}", encoded(token));
    let mut client = Packets::open(address, Revision::V3, &query).await.unwrap();
    assert_eq!(client.next().await, "40");
    client
}
