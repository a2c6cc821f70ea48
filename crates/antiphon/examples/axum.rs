//! Socket.IO inside of an axum program, beside its own routes.
//!
//! ```sh
//! cargo run --package antiphon --example axum
//! ```
//!
//! Routes and Socket.IO speak of the same things: `curl -d hello http://localhost:3001/announce` is heard by every client. Ctrl-C
//! stops both in good order.

use std::error::Error;
use std::net::SocketAddr;

use antiphon::{Data, Io, PeerAddress, Socket};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let io = Io::new();
    io.on_connection(|socket: Socket| println!("{} from {}", socket.id(), socket.handshake().address()));
    io.root().on("shout", |socket: Socket, Data(text): Data<String>| {
        socket.namespace().emit("heard", text.to_uppercase())
    });

    let app = Router::new()
        .route("/", get(|| async { "a client of Socket.IO can connect here\n" }))
        .route("/announce", post(announce))
        .with_state(io.clone())
        .layer(io.layer()?)
        // Around the layer: polling requests have no other way to say where they come from.
        .layer(from_fn(tell_address));

    let listener = TcpListener::bind("localhost:3001").await?;
    println!("listening on http://{}/", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            // Its connections have to end, so that the server can.
            if let Err(error) = io.close().await {
                eprintln!("{error}");
            }
        })
        .await?;
    Ok(())
}

/// A route like any other, which emits.
async fn announce(State(io): State<Io>, text: String) -> String {
    match io.root().emit("heard", &text) {
        Ok(()) => format!("told {} sockets\n", io.root().socket_count()),
        Err(error) => format!("{error}\n"),
    }
}

async fn tell_address(
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(PeerAddress(address));
    next.run(request).await
}
