//! A plain server on tokio-tungstenite: a task and a channel for each connection, TCP_NODELAY, a long backlog, and a runtime of
//! one thread. `/echo` gets its frames back; `/fanout?subscribe` gets what anyone sends to `/fanout`.
//!
//! Says where it listens on standard output, and serves until it is ended.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Connections that may wait to be accepted: more than a load opens at once, or the kernel has them try again a second later.
const BACKLOG: u32 = 4096;

type Subscribers = Arc<Mutex<Vec<UnboundedSender<Message>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening on http://{}", listener.local_addr()?);
    let subscribers = Subscribers::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let subscribers = Arc::clone(&subscribers);
        tokio::spawn(async move {
            // A client that goes, or is none, ends its task and nothing else.
            let _ = serve(stream, subscribers).await;
        });
    }
}

async fn serve(stream: TcpStream, subscribers: Subscribers) -> Result<(), Error> {
    let mut path = String::new();
    // The library's own type, and as large as it is.
    #[expect(clippy::result_large_err)]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().to_string();
        Ok(response)
    };
    let socket = accept_hdr_async(stream, look).await?;
    match path.as_str() {
        "/echo" => echo(socket).await,
        "/fanout?subscribe" => subscribe(socket, &subscribers).await,
        _ => publish(socket, &subscribers).await,
    }
}

async fn echo(mut socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_binary() || message.is_text() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn subscribe(mut socket: WebSocketStream<TcpStream>, subscribers: &Subscribers) -> Result<(), Error> {
    let (sender, mut queue) = unbounded_channel();
    lock(subscribers).push(sender);
    loop {
        tokio::select! {
            Some(message) = queue.recv() => {
                socket.feed(message).await?;
                // What has queued up meanwhile goes out with it.
                while let Ok(message) = queue.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
            message = socket.next() => match message {
                Some(message) => drop(message?),
                None => return Ok(()),
            },
        }
    }
}

async fn publish(mut socket: WebSocketStream<TcpStream>, subscribers: &Subscribers) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_binary() || message.is_text() {
            lock(subscribers).retain(|subscriber| subscriber.send(message.clone()).is_ok());
        }
    }
    Ok(())
}

fn lock(subscribers: &Subscribers) -> std::sync::MutexGuard<'_, Vec<UnboundedSender<Message>>> {
    subscribers.lock().expect("nobody panics with the lock held")
}
