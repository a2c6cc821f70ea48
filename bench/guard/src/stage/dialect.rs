//! What is spoken on a stage.

use std::sync::Arc;

use antiphon_access::HostPolicy;
use antiphon_http::{HttpDialect, HttpParts, HttpSettings};
use antiphon_net::{Mounts, Worker};
use antiphon_socketio::{Event, HandlerResult, Io, Outcome};

pub(super) type Dialects = Mounts<HttpDialect>;

const ROOM: &str = "room";

/// The native dialect, and Socket.IO.
pub(super) fn new(io: &Io, worker: &Worker) -> Dialects {
    let parts = HttpParts { hosts: HostPolicy::Any, assets: Vec::new(), extra: Vec::new() };
    let http = HttpDialect::new(HttpSettings::default(), parts).expect("the settings are the defaults");
    Mounts::new(http).mount("/socket.io/", io.endpoint(worker))
}

/// What the application of Socket.IO does.
pub(super) fn behave(io: &Io) {
    let root = io.root();
    root.on("join", Arc::new(|event: Event| done(event.socket.join(ROOM).is_ok())));
    root.on(
        "broadcast",
        Arc::new(|event: Event| {
            let text: (String,) = event.arguments.parse().expect("it is a text");
            done(event.socket.namespace().to(ROOM).emit("m", text).is_ok())
        }),
    );
    root.on(
        "echo",
        Arc::new(|event: Event| {
            let answered = event.ack.is_some_and(|ack| ack.send(&event.arguments).is_ok());
            done(answered)
        }),
    );
}

fn done(well: bool) -> Outcome<HandlerResult> {
    assert!(well, "what clients do here is allowed");
    Outcome::Ready(Ok(()))
}
