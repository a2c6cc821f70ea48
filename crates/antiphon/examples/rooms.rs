//! Rooms: sockets join and leave them, and what is said in a room is heard there alone.
//!
//! ```sh
//! cargo run --package antiphon --example rooms
//! ```
//!
//! A client to try it with, in Node.js with `socket.io-client`:
//!
//! ```js
//! const socket = require("socket.io-client")("http://localhost:3001");
//! socket.on("message", (message) => console.log(message));
//! socket.emit("join", "room_123", (members) => console.log("in the room:", members));
//! socket.emit("say", "room_123", "hello");
//! ```

use std::sync::Arc;

use antiphon::{Data, DisconnectReason, EmitError, Io, JoinError, Rooms, Socket, StartError};
use serde::Serialize;

/// What is heard in a room.
#[derive(Serialize)]
struct Heard<'a> {
    room: &'a str,
    from: &'a str,
    text: &'a str,
}

fn main() -> Result<(), StartError> {
    let io = Io::new();
    let root = io.root();

    // What this gives back is what the client's `emit` is acknowledged with.
    root.on("join", |socket: Socket, Data(room): Data<String>| async move {
        socket.join(&room)?;
        socket.to(&room).emit("message", format!("{} has come to {room}", socket.id()))?;
        let members = socket.namespace().in_(&room).fetch_sockets().await;
        let members: Vec<String> = members.iter().map(|member| member.id.to_string()).collect();
        Ok::<_, Box<dyn std::error::Error>>(Data(members))
    });

    root.on("leave", |socket: Socket, Data(room): Data<String>| {
        socket.leave(&room);
        socket.to(&room).emit("message", format!("{} has left {room}", socket.id()))
    });

    // Two arguments of the event: the room, and what to say in it.
    root.on("say", |socket: Socket, Data(room): Data<String>, Data(text): Data<String>| {
        let heard = Heard { room: &room, from: socket.id(), text: &text };
        socket.namespace().to(&room).emit("message", &heard)
    });

    // An operator's door: everybody in one room is moved to another.
    root.on("move", |socket: Socket, Data((from, to)): Data<(String, String)>| {
        let everybody = socket.namespace().in_(&from);
        everybody.sockets_join(&to)?;
        everybody.sockets_leave(&from);
        Ok::<(), JoinError>(())
    });

    // While it is disconnecting, a socket is in its rooms still.
    root.on_disconnecting(|socket: Socket, Rooms(rooms): Rooms, reason: DisconnectReason| {
        let told = |room: &Arc<str>| {
            socket.to(&**room).emit("message", format!("{} is gone: {reason}", socket.id()))
        };
        rooms.iter().filter(|room| ***room != **socket.id()).try_for_each(told)?;
        Ok::<(), EmitError>(())
    });

    println!("try it with a client of Socket.IO at http://localhost:3001/");
    io.run("localhost:3001")
}
