//! The Socket.IO loads' server with socketioxide on axum, as its documentation shows it, but with a long backlog, a runtime of
//! one thread (with one of several it loses messages of these loads), and TCP_NODELAY, which `--as-it-comes` leaves out.
//!
//! Says where it listens on standard output, and serves until it is ended.
#![forbid(unsafe_code)]

use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpSocket;

const ROOM: &str = "bench";

/// Connections that may wait to be accepted: more than a load opens at once, or the kernel has them try again a second later.
const BACKLOG: u32 = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("join", async |socket: SocketRef, ack: AckSender| {
            socket.join(ROOM);
            // The client may have gone.
            let _ = ack.send::<[(); 0]>(&[]);
        });
        socket.on("broadcast", async |io: SocketIo, Data(message): Data<String>| {
            // It fails when one client's buffer is full. That client is missing a message then, which ends the run.
            let _ = io.to(ROOM).emit("m", &message).await;
        });
        socket.on("echo", async |Data(message): Data<String>, ack: AckSender| {
            let _ = ack.send(&message);
        });
    });
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = Router::new().layer(layer);
    if std::env::args().any(|argument| argument == "--as-it-comes") {
        return axum::serve(listener, app).await;
    }
    let listener = listener.tap_io(|connection| {
        // A connection that is gone already will say so when it is read.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, app).await
}
