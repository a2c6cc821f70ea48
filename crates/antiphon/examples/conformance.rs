//! The server that the protocol's official test suites ask for: Engine.IO at `/engine.io/`, which echoes, and Socket.IO at
//! `/socket.io/`, with the namespaces `/` and `/custom`.
//!
//! ```sh
//! cargo run --package antiphon --example conformance
//! ```
//!
//! | variable | is | default |
//! |---|---|---|
//! | `PORT` | where it listens; 0 takes a free port | 3000 |
//! | `PING_INTERVAL_MS` | how often it asks whether clients are there | 300 |
//! | `PING_TIMEOUT_MS` | how long they may take to answer | 200 |
//! | `MAX_PAYLOAD` | the longest message that it takes, in bytes | 1000000 |
//! | `CONNECT_TIMEOUT_MS` | how long until a client has to be in a namespace | 1000 |
//! | `EIO3` | `0` refuses clients of Engine.IO 3 | 1 |
//! | `RECOVERY_MS` | for how long clients can recover a connection that they lost; 0 is not at all | 0 |
//! | `WORKERS` | how many threads | one for each core |

use std::env::VarError;
use std::error::Error;
use std::time::Duration;

use antiphon::engineio::{Application, Conversation, Data as Frame, Link, SendOptions, ServeSettings};
use antiphon::{AllowedOrigins, Auth, CorsSettings, EventArguments, Io, LegacyClients, Namespace, Socket};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = variable("PORT", 3000)?;
    let cors = CorsSettings { origin: AllowedOrigins::Any, ..CorsSettings::default() };
    let eio3: u8 = variable("EIO3", 1)?;
    let mut builder = Io::builder()
        .ping_interval(milliseconds("PING_INTERVAL_MS", 300)?)
        .ping_timeout(milliseconds("PING_TIMEOUT_MS", 200)?)
        .connect_timeout(milliseconds("CONNECT_TIMEOUT_MS", 1000)?)
        .max_http_buffer_size(variable("MAX_PAYLOAD", 1_000_000)?)
        .legacy_clients(if eio3 == 0 { LegacyClients::Refused } else { LegacyClients::Served })
        .workers(variable("WORKERS", 0)?)
        .cors(cors);
    let recovery = milliseconds("RECOVERY_MS", 0)?;
    if !recovery.is_zero() {
        builder = builder.connection_state_recovery(recovery);
    }
    let echo = ServeSettings { path: "/engine.io/".to_owned(), ..builder.engine_settings().clone() };
    let io = builder.engine_io(echo, || Echo).build();
    serve(&io.root());
    serve(&io.of("/custom"));

    // With a free port there is one address: each would have another port.
    let host = if port == 0 { "127.0.0.1" } else { "localhost" };
    let listening = io.bind(format!("{host}:{port}"))?;
    let port = listening.addresses().first().map_or(port, |address| address.port());
    println!("listening on http://127.0.0.1:{port}");
    tokio::runtime::Builder::new_current_thread().build()?.block_on(listening.stopped());
    Ok(())
}

/// What the Socket.IO suite wants of a namespace.
fn serve(namespace: &Namespace) {
    namespace.on_connection(|socket: Socket, Auth(auth): Auth<Option<Value>>| {
        socket.emit("auth", auth.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    });
    namespace
        .on("message", |socket: Socket, arguments: EventArguments| socket.emit("message-back", &arguments));
    namespace.on("message-with-ack", |arguments: EventArguments| arguments);
}

/// What the Engine.IO suites want: every message comes back.
struct Echo;

impl Application for Echo {
    fn open(&self, _: &Link) -> Box<dyn Conversation> {
        Box::new(Echo)
    }
}

impl Conversation for Echo {
    fn handle_message(&mut self, data: Frame, link: &Link) {
        // A client that is gone, or does not read, gets no echo.
        let _ = link.send(data, SendOptions::default());
    }
}

fn milliseconds(name: &str, default: u64) -> Result<Duration, Box<dyn Error>> {
    variable(name, default).map(Duration::from_millis)
}

fn variable<T>(name: &str, default: T) -> Result<T, Box<dyn Error>>
where
    T: std::str::FromStr<Err: Error + 'static>,
{
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|error| format!("{name}={text}: {error}").into()),
        Err(VarError::NotPresent) => Ok(default),
        Err(error) => Err(error.into()),
    }
}
