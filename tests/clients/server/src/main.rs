//! The server that clients of Socket.IO are driven against: `antiphon-test-server '{"port": 0}'`.
//!
//! It answers what the clients' tests ask, and says in lines of JSON on standard output who came and why who went. What it does is
//! told in `tests/clients/README.md`; `reference/server.mjs` does the same on the reference implementation.
#![forbid(unsafe_code)]

mod behaviour;
mod settings;
mod values;

use std::error::Error;

use antiphon::{Auth, Candidate, ConnectRefused, Io, Socket};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::behaviour::welcome;
use crate::settings::Settings;

#[derive(Deserialize)]
struct Login {
    token: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings: Settings = match std::env::args().nth(1) {
        Some(json) => serde_json::from_str(&json)?,
        None => Settings::default(),
    };
    let io = settings.build()?;
    offer_namespaces(&io);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(&io, settings.port))
}

async fn serve(io: &Io, port: u16) -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let listening = io.bind(("127.0.0.1", port))?;
    let address = listening.addresses().first().ok_or("it listens nowhere")?;
    tell(&json!({ "listening": format!("http://{address}") }));
    terminated.recv().await;
    Ok(io.close().await?)
}

fn offer_namespaces(io: &Io) {
    welcome(&io.root());

    let custom = io.of("/custom");
    welcome(&custom);
    custom.on_connection(|socket: Socket, Auth(auth): Auth<Option<Value>>| {
        socket.emit("auth", auth.unwrap_or_else(|| json!({})))
    });

    let members = io.of("/members");
    members.use_(|Auth(login): Auth<Login>| match login.token.as_deref() {
        Some("secret") => Ok(()),
        _ => {
            let data = json!({ "code": 401, "hint": "ask for a token" });
            Err(ConnectRefused::new("not a member").with_data(&data))
        }
    });
    welcome(&members);

    welcome(&io.of_matching(|candidate: &Candidate<'_>| {
        let number = candidate.name.strip_prefix("/tables/");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }));
}

/// Says something to whoever runs the tests.
fn tell(what: &Value) {
    println!("{what}");
}
