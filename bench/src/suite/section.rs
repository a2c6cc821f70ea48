//! The parts of the page: each can be measured and replaced by itself.

/// Cases that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// Raw WebSocket, and other servers each in its own protocol.
    WebSocket,
    SocketIo,
    Sse,
    Workers,
    /// Messages that are stored before they are acknowledged.
    Stored,
    Latency,
    /// Everyone comes back at once.
    Storm,
    Idle,
    /// The EXP network.
    Exp,
    LongPoll,
}

impl Section {
    /// In the order of measuring and of the page.
    pub(super) const ALL: [Self; 10] = [
        Self::WebSocket,
        Self::SocketIo,
        Self::Sse,
        Self::Workers,
        Self::Stored,
        Self::Latency,
        Self::Storm,
        Self::Idle,
        Self::Exp,
        Self::LongPoll,
    ];

    /// What `--only` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::SocketIo => "socketio",
            Self::Sse => "sse",
            Self::Workers => "workers",
            Self::Stored => "stored",
            Self::Latency => "latency",
            Self::Storm => "storm",
            Self::Idle => "idle",
            Self::Exp => "exp",
            Self::LongPoll => "long-poll",
        }
    }

    /// The heading of its part of the page.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::WebSocket => "Raw WebSocket",
            Self::SocketIo => "Socket.IO",
            Self::Sse => "Server-sent events",
            Self::Workers => "Several workers",
            Self::Stored => "Stored messages",
            Self::Latency => "Latency under load",
            Self::Storm => "Recovery storm",
            Self::Idle => "Connections and memory",
            Self::Exp => "EXP network",
            Self::LongPoll => "Long polls",
        }
    }

    /// What was measured, and how.
    pub(super) fn intro(self) -> &'static str {
        match self {
            Self::WebSocket => {
                "One publisher sends to all subscribers, as a binary frame of 128 bytes each; with one in flight it waits until \
                 the last has it. The servers below the table get the same load, Redis, nats-server and the MQTT brokers (QoS 0) in \
                 their own protocols and with their own framing. tokio-tungstenite and `ws` have the few lines around them that \
                 `bench/peers/` shows."
            }
            Self::SocketIo => {
                "Socket.IO 5 on Engine.IO 4 over WebSocket, without compression; the message is an event's one argument, a text \
                 of 128 bytes. *antiphon* is a program with the library whose handlers emit to a room and acknowledge, as a user's would: \
                 `bench/examples/socketio_loads.rs`. The reference tells the three events of the loads apart by their first bytes \
                 and looks no further. The peers have the same handlers, a long backlog and one thread, and are otherwise as their \
                 documentation shows them: `bench/peers/`."
            }
            Self::Sse => {
                "Subscribers are EventSource streams over HTTP/1.1, each event a chunk; one publisher sends text frames on a WebSocket. \
                 The reference is that of the same load as bare WebSocket frames, which are less to write: an event has its id and its \
                 name, and a chunk its length."
            }
            Self::Workers => {
                "How fan-out changes with the number of workers. There are two cores here and the load takes one of them, so \
                 both share both: that two workers are no slower is what can be shown, and not how they scale."
            }
            Self::Stored => {
                "Publishers over `antiphon.v1` that wait for acknowledgements, which come after the commit. The server and the \
                 load share both cores; the database is on the disk that the build is on."
            }
            Self::Latency => {
                "Messages are published by the clock, and each is timed from when it was due, so that a pause counts for all that were due in it. \
                 *Half of what the server can do* is half of what the same server made of the same load with 64 in flight just \
                 before. The curves are of one round, and end where a server does not keep up. Beside the load with *commits and retention*, 8 publishers store messages in SQLite, \
                 one after the other, which are removed again two seconds later."
            }
            Self::Storm => {
                "5,000 clients have lost their connections at the same moment, 100 messages have been published since, and all of \
                 them come back at once with their position (over Socket.IO with its connection state recovery). Meanwhile others who stayed \
                 get 100 messages a second, timed from when each was due. Every client is checked to get every message once and \
                 in order."
            }
            Self::Idle => {
                "Connections are opened 256 at a time, each is asked for one answer, and what the process has grown by is \
                 divided by their number. The clients come from addresses in 127.0.0.0/8, no more than 25,000 from each. What the kernel keeps for a \
                 socket is not in it. With 100,000 there are two rounds at most, with 1,000 there is one."
            }
            Self::Exp => {
                "A device has a socket (Engine.IO 3 over WebSocket) and a connection of its own for its responses. One \
                 broadcasts with `timeout=500`, and each device posts a response as soon as it has read the broadcast: 20 times, \
                 and each time all 1,000 responses are found in the array that is answered. The times are from the sending of the \
                 broadcast, and as the load sees them: until the last of the 1,000 sockets has been *read*, and until the last \
                 response has been acknowledged."
            }
            Self::LongPoll => {
                "5,000 subscribers of one channel, each on a connection of its own, poll with the position of the last answer, and at \
                 once when there is one. 20 more connections publish one message of 128 bytes a second each. Every subscriber is checked to get \
                 every message once, and all of them in the same order. A server that has many polls to answer lets each wait a \
                 little (`pubnub.answer_hold_max` with PubNub's, by default up to 400 ms), so that an answer has several \
                 messages: most of the time until a subscriber has a message is that wait. CPU time is that of the server for each message that a \
                 subscriber got, the poll and its answer included. The times are from when each message was due."
            }
        }
    }
}
