//! Binary data: a page uploads files in pieces, each acknowledged, and everybody is told of what has come.
//!
//! ```sh
//! cargo run --package antiphon --example upload
//! ```
//!
//! Then open the page that it names. It listens on port 3001, or on what `PORT` says; `CLIENT` is the URL of the Socket.IO client's
//! build.

use std::error::Error;

use antiphon::{Binary, ClientBundle, Data, DisconnectReason, ExtractError, FromSocket, Io, Socket};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The longest file that is taken.
const FILE_BYTES_MAX: usize = 64 << 20;

/// A piece of a file: `{ name, last, bytes }`, where `bytes` is an `ArrayBuffer`.
#[derive(Deserialize)]
struct Piece {
    name: String,
    last: bool,
    bytes: Binary,
}

/// What everybody is told of a file, and its uploader at each piece.
#[derive(Serialize)]
struct Received {
    name: String,
    size: usize,
}

/// The file that a socket is about to upload: kept with it, and dropped with it.
#[derive(Default)]
struct Upload(Mutex<Vec<u8>>);

/// Handlers ask for their socket's upload as for anything else.
struct Current(std::sync::Arc<Upload>);

impl FromSocket for Current {
    fn from_socket(context: &antiphon::Context<'_>) -> Result<Current, ExtractError> {
        let none = || ExtractError::Refused("there is no upload".to_owned());
        context.peek().extensions().get::<Upload>().map(Current).ok_or_else(none)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3001".to_owned());
    let client = std::env::var("CLIENT").unwrap_or_else(|_| "https://cdn.socket.io/4.8.1/".to_owned());
    let io = Io::builder()
        .page("/", include_str!("upload/index.html"))
        .serve_client(ClientBundle::Redirect(client))
        .max_http_buffer_size(2 << 20)
        .build();

    io.on_connection(|socket: Socket| {
        socket.extensions().insert(Upload::default());
    });

    // The client sends the next piece when this one is acknowledged: so none waits in memory.
    io.root().on("piece", |socket: Socket, Data(piece): Data<Piece>, Current(upload): Current| {
        let mut file = upload.0.lock();
        if file.len() + piece.bytes.len() > FILE_BYTES_MAX {
            file.clear();
            return Err(format!("{} is longer than {FILE_BYTES_MAX} bytes", piece.name));
        }
        file.extend_from_slice(&piece.bytes);
        let size = file.len();
        if piece.last {
            // A program would keep it somewhere.
            println!("{} uploaded {}: {size} bytes", socket.id(), piece.name);
            file.clear();
            let received = Received { name: piece.name.clone(), size };
            socket.broadcast().emit("uploaded", &received).map_err(|error| error.to_string())?;
        }
        Ok(Data(Received { name: piece.name, size }))
    });

    // Bytes come back as bytes.
    io.root().on("reverse", |Data(Binary(bytes)): Data<Binary>| {
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        bytes::Bytes::from(reversed)
    });

    io.root().on_disconnect(|socket: Socket, reason: DisconnectReason| {
        println!("{} is gone: {reason}", socket.id());
    });

    println!("the page is at http://localhost:{port}/");
    io.run(format!("localhost:{port}"))?;
    Ok(())
}
