//! A chat on one page: whoever sends `send_message` is heard by everybody as `receive_message`.
//!
//! ```sh
//! cargo run --package antiphon --example chat
//! ```
//!
//! Then open the page that it names, twice. It listens on port 3001, or on what `PORT` says. The page gets the Socket.IO client
//! from this server, which knows where it is by `CLIENT`: a URL that it redirects to, or a file, or a directory of a build.

use std::error::Error;
use std::path::Path;

use antiphon::{ClientBundle, Data, DisconnectReason, Io, Socket};
use serde::{Deserialize, Serialize};

/// Where the client is, unless the environment says otherwise.
const CLIENT: &str = "https://cdn.socket.io/4.8.1/";

/// What is said: `{"message": "..."}`.
#[derive(Deserialize, Serialize)]
struct Said {
    message: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3001".to_owned());
    let io = Io::builder()
        .page("/", include_str!("chat/index.html"))
        .serve_client(client()?)
        // For pages that another server brings, as those of a frontend under development.
        .cors_origin("http://localhost:3000")
        .cors_origin("http://localhost:5173")
        .build();

    io.on_connection(|socket: Socket| println!("{} connected", socket.id()));
    let everybody = io.root();
    everybody.on("send_message", |socket: Socket, Data(said): Data<Said>| {
        println!("{} says {}", socket.id(), said.message);
        socket.namespace().emit("receive_message", &said)
    });
    everybody.on_disconnect(|socket: Socket, reason: DisconnectReason| {
        println!("{} disconnected: {reason}", socket.id());
    });

    println!("the chat is at http://localhost:{port}/");
    io.run(format!("localhost:{port}"))?;
    Ok(())
}

fn client() -> std::io::Result<ClientBundle> {
    let client = std::env::var("CLIENT").unwrap_or_else(|_| CLIENT.to_owned());
    if client.starts_with("http") || client.starts_with('/') && !Path::new(&client).exists() {
        return Ok(ClientBundle::Redirect(client));
    }
    ClientBundle::read(Path::new(&client))
}
