//! Workers with connections, as hot paths find them.
//!
//! Every connection is a UDP socket, and all of them are connected to one that nobody reads: whatever is written goes out with one
//! call and is dropped by the kernel, so that no peer has to take it.

mod dialect;

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Access, LimitSettings, OrgSettings};
use antiphon_engineio::EngineSettings;
use antiphon_hub::{Rule, Rules, WorkerId};
use antiphon_model::OrgId;
use antiphon_net::still::{StillConnection, StillServer, adopted};
use antiphon_net::websocket::client::masked_frame;
use antiphon_net::websocket::{FrameStart, Opcode};
use antiphon_net::{NetSettings, NodeInputs, Peer};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_socketio::{Io, SocketIoSettings};
use antiphon_store::{MemoryStore, StoreSettings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::dialect::Dialects;

/// As in the benchmarks.
const MESSAGE_BYTES: usize = 128;

const PATIENCE: Duration = Duration::from_secs(3600);

/// What those speak who listen, and who publishes for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// Raw WebSockets.
    Raw,
    /// WebSockets with the subprotocol `antiphon.v1`.
    V1,
    /// Sockets of Socket.IO in one room.
    SocketIo,
    /// Streams of server-sent events; who publishes has a raw WebSocket.
    Sse,
}

/// A server with a publisher and listeners.
pub struct Stage {
    server: StillServer<Dialects>,
    /// The other end of every connection.
    peer: UdpSocket,
    publisher: (StillConnection, SocketAddr),
    /// What the publisher sends in each turn.
    sent: Vec<u8>,
    /// Whether those who listen are written to by tasks of their own.
    has_tasks: bool,
}

const FIRST: WorkerId = WorkerId(0);

impl Stage {
    /// So many listeners on one worker, and a publisher that sends them so many messages of 128 bytes in each turn.
    pub fn new(listeners: Listeners, subscribers: usize, in_flight: usize) -> Stage {
        Stage::spread(listeners, 1, subscribers, in_flight)
    }

    /// So many listeners on each of several workers.
    pub fn spread(listeners: Listeners, workers: usize, subscribers: usize, in_flight: usize) -> Stage {
        let text = "e".repeat(MESSAGE_BYTES);
        let message = match listeners {
            Listeners::Raw => (Opcode::Binary, text),
            Listeners::Sse => (Opcode::Text, text),
            Listeners::V1 => {
                let publish = format!(r#"{{"type":"publish","id":1,"channel":"room","payload":"{text}"}}"#);
                (Opcode::Text, publish)
            }
            Listeners::SocketIo => (Opcode::Text, format!(r#"42["broadcast","{text}"]"#)),
        };
        let mut stage = Stage::empty(workers, subscribers);
        for worker in 0..workers as u16 {
            for _ in 0..subscribers {
                stage.listen(listeners, WorkerId(worker));
            }
        }
        stage.publisher = match listeners {
            Listeners::Raw | Listeners::Sse => {
                stage.websocket(FIRST, "/v1/channels/room?echo=false&store=false", "")
            }
            Listeners::V1 => stage.websocket(FIRST, "/v1/events", "antiphon.v1"),
            Listeners::SocketIo => stage.socketio(FIRST),
        };
        stage.has_tasks = listeners == Listeners::Sse;
        stage.send_each_turn(message.0, &message.1, in_flight);
        stage.settle();
        stage
    }

    /// A client of Socket.IO, which in each turn asks for an event to be answered with its argument.
    pub fn echo() -> Stage {
        let mut stage = Stage::empty(1, 0);
        stage.publisher = stage.socketio(FIRST);
        stage.send_each_turn(Opcode::Text, &format!(r#"421["echo","{}"]"#, "e".repeat(MESSAGE_BYTES)), 1);
        stage
    }

    fn empty(workers: usize, subscribers: usize) -> Stage {
        allow_files(workers * subscribers);
        let io = Io::new(patient());
        let rule = Rule { persist: false, presence: false, ..Rule::default() };
        let limits = LimitSettings {
            connections_max: 1_000_000,
            connections_per_identity_max: 1_000_000,
            ..LimitSettings::default()
        };
        let org = OrgSettings { name: "demo".into(), open: true, limits, ..OrgSettings::default() };
        let node = |inputs: NodeInputs| {
            let workers = inputs.workers.clone();
            let parts = NodeParts {
                settings: NodeSettings::default(),
                access: Access::load(vec![org]).expect("the org is valid"),
                store: Arc::new(MemoryStore::new(&StoreSettings::default()).expect("a store")),
                orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
            io.install(Arc::clone(&node), workers);
            Ok(node)
        };
        let settings = NetSettings { handshake_timeout: PATIENCE, ..NetSettings::default() };
        let server = StillServer::new(settings, workers, node, |worker| dialect::new(&io, worker));
        dialect::behave(&io);
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        peer.set_nonblocking(true).expect("a socket can be");
        let mut stage = Stage {
            server: server.expect("a server"),
            peer,
            publisher: (StillConnection::default(), SocketAddr::from(([127, 0, 0, 1], 0))),
            sent: Vec::new(),
            has_tasks: false,
        };
        stage.settle();
        stage
    }

    fn listen(&mut self, listeners: Listeners, worker: WorkerId) {
        match listeners {
            Listeners::Raw => _ = self.websocket(worker, "/v1/channels/room", ""),
            Listeners::V1 => _ = self.websocket(worker, "/v1/channels/room", "antiphon.v1"),
            Listeners::SocketIo => {
                let client = self.socketio(worker);
                self.text(client, r#"42["join"]"#);
            }
            Listeners::Sse => {
                let (socket, peer) = self.socket();
                let connection = self.server.accept(worker, socket, peer.clone());
                let request =
                    "GET /v1/channels/room HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
                self.peer.send_to(request.as_bytes(), peer.local).expect("it is there");
                self.server.turn(worker, &[connection]);
                self.server.settle(worker);
            }
        }
    }

    fn websocket(
        &mut self,
        worker: WorkerId,
        target: &str,
        subprotocol: &str,
    ) -> (StillConnection, SocketAddr) {
        let (socket, peer) = self.socket();
        let local = peer.local;
        (self.server.adopt(worker, adopted(socket, peer, target, subprotocol)), local)
    }

    /// A client of Socket.IO that is in the main namespace.
    fn socketio(&mut self, worker: WorkerId) -> (StillConnection, SocketAddr) {
        let client = self.websocket(worker, "/socket.io/?EIO=4&transport=websocket", "");
        self.text(client, "40");
        client
    }

    /// Sends a text from a client, and does all that follows from it.
    fn text(&mut self, (connection, address): (StillConnection, SocketAddr), text: &str) {
        let mut frame = Vec::new();
        masked_frame(FrameStart::whole(Opcode::Text), text.as_bytes(), [1, 2, 3, 4], &mut frame);
        self.peer.send_to(&frame, address).expect("it is there");
        self.server.turn(connection.worker(), &[connection]);
        self.server.settle(connection.worker());
    }

    /// A connection's socket, and where it is.
    fn socket(&self) -> (TcpStream, Peer) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let peer = self.peer.local_addr().expect("it is bound");
        socket.connect(peer).expect("it is there");
        let local = socket.local_addr().expect("it is bound");
        (TcpStream::from(OwnedFd::from(socket)), Peer::plain(peer, local))
    }

    fn send_each_turn(&mut self, opcode: Opcode, message: &str, in_flight: usize) {
        for _ in 0..in_flight {
            masked_frame(FrameStart::whole(opcode), message.as_bytes(), [1, 2, 3, 4], &mut self.sent);
        }
        assert!(self.sent.len() < 64 << 10, "it has to be one datagram");
    }

    fn settle(&mut self) {
        for worker in self.server.workers().ids() {
            self.server.settle(worker);
        }
    }

    /// The publisher sends, and every worker has its turn, so many times.
    #[inline(never)]
    pub fn turns(&mut self, times: u64) {
        let (publisher, address) = self.publisher;
        for _ in 0..times {
            self.peer.send_to(&self.sent, address).expect("it is there");
            self.server.turn(publisher.worker(), &[publisher]);
            for worker in self.server.workers().ids().skip(1) {
                self.server.turn(worker, &[]);
            }
            if self.has_tasks {
                self.server.settle(FIRST);
            }
        }
    }

    /// The publisher sends, and its own worker has its turn, so many times; the others stand still.
    pub fn publish(&mut self, times: u64) {
        let (publisher, address) = self.publisher;
        for _ in 0..times {
            self.peer.send_to(&self.sent, address).expect("it is there");
            self.server.turn(publisher.worker(), &[publisher]);
        }
    }

    /// The server.
    pub fn server(&self) -> &StillServer<impl antiphon_net::Endpoint> {
        &self.server
    }

    /// How many publications have been put into outboxes, counted for each listener.
    pub fn deliveries(&self) -> u64 {
        self.server.node().metrics().deliveries.get()
    }

    /// How many bytes have been written to WebSockets.
    pub fn written_bytes(&self) -> u64 {
        self.server.node().metrics().written_bytes.get()
    }
}

/// Settings of Socket.IO by which nobody is timed out: clients here answer no pings, and under valgrind all takes its time.
fn patient() -> SocketIoSettings {
    let mut settings = SocketIoSettings::default();
    let engine = EngineSettings {
        ping_interval_ms: PATIENCE.as_millis() as u64,
        ping_timeout_ms: PATIENCE.as_millis() as u64,
        ..EngineSettings::clone(&settings.engine.engine)
    };
    settings.engine.engine = Arc::new(engine);
    settings.connect_timeout_ms = PATIENCE.as_millis() as u64;
    settings
}

/// Raises the limit of open files, as far as this process may: mostly it begins at 1,024.
fn allow_files(sockets: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = sockets as u64 + 500;
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        // Where it does not help, opening the sockets says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many datagrams have come that say something of `text`.
    fn heard(stage: &Stage, text: &[u8]) -> usize {
        let mut buffer = vec![0; 64 << 10];
        let mut heard = 0;
        while let Ok(bytes) = stage.peer.recv(&mut buffer) {
            heard += usize::from(buffer[..bytes].windows(text.len()).any(|window| window == text));
        }
        heard
    }

    #[test]
    fn every_listener_is_written_to() {
        let text = "e".repeat(MESSAGE_BYTES);
        for listeners in [Listeners::Raw, Listeners::V1, Listeners::SocketIo, Listeners::Sse] {
            let mut stage = Stage::new(listeners, 7, 3);
            heard(&stage, b"e");
            stage.turns(1);
            assert_eq!(heard(&stage, text.as_bytes()), 7, "{listeners:?}");
        }
        let mut stage = Stage::echo();
        heard(&stage, b"e");
        stage.turns(1);
        assert_eq!(heard(&stage, format!("431[\"{text}\"]").as_bytes()), 1);
    }
}
