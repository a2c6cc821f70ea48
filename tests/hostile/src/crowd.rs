//! Those who behave: each listens to one channel in one dialect, on one connection for the whole run, and has to hear every
//! message once and in order.

mod http;
mod login;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::Error;
use crate::publisher;
use crate::tally::Tally;

pub(crate) use login::log_in;

/// How many connect at a time.
const CONNECTING_MAX: usize = 16;

/// How long the whole crowd may take to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(120);

/// In what way one listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// WebSocket whose messages are payloads.
    Raw,
    /// WebSocket with `antiphon.v1`.
    V1,
    /// Server-sent events.
    Sse,
    /// Socket.IO over WebSocket.
    SocketIo,
    /// Long polls of PubNub's SDKs.
    PubNub,
    /// A socket of EXP's SDKs.
    Exp,
}

impl Way {
    /// All of them, in the order in which clients are dealt out.
    pub(crate) const ALL: [Way; 6] = [Way::Raw, Way::V1, Way::Sse, Way::SocketIo, Way::PubNub, Way::Exp];

    /// The way of this client.
    pub(crate) fn of(client: usize) -> Way {
        Way::ALL[client % Way::ALL.len()]
    }
}

/// The crowd and its publisher, on a thread of their own. It lives as long as the process.
#[derive(Debug)]
pub(crate) struct Crowd;

impl Crowd {
    /// Connects so many clients and lets the publisher begin. `token` is a session's of the EXP network.
    pub(crate) fn start(
        address: SocketAddr,
        clients: usize,
        rate: u32,
        token: &str,
        tally: &Arc<Tally>,
    ) -> Result<Crowd, Error> {
        let (sender, connected) = mpsc::channel();
        let (tally, token) = (Arc::clone(tally), token.to_owned());
        let thread = std::thread::Builder::new().name("crowd".to_owned());
        let started = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let local = LocalSet::new();
            local.block_on(&runtime, async {
                let outcome = connect_all(address, clients, &token, &tally).await;
                let go_on = outcome.is_ok();
                // Nobody waits any more once the time to connect is over.
                let _ = sender.send(outcome);
                if go_on {
                    publisher::publish(address, rate, &tally).await;
                }
            });
        });
        started.map_err(|source| Error::Machine { what: "a thread", source })?;
        match connected.recv_timeout(CONNECT_TIME_MAX) {
            Ok(Ok(())) => Ok(Crowd),
            Ok(Err(wrong)) => Err(Error::Crowd(wrong)),
            Err(_) => Err(Error::Crowd("it takes too long to connect".to_owned())),
        }
    }
}

async fn connect_all(
    address: SocketAddr,
    clients: usize,
    token: &str,
    tally: &Arc<Tally>,
) -> Result<(), String> {
    let turns = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut connecting = Vec::with_capacity(clients);
    for client in 0..clients {
        let (turns, tally, token) = (Arc::clone(&turns), Arc::clone(tally), token.to_owned());
        connecting.push(tokio::task::spawn_local(async move {
            let turn = turns.acquire().await;
            let way = Way::of(client);
            let connected = connect(way, address, client, &token).await;
            drop(turn);
            let listener = connected.map_err(|wrong| format!("client {client} ({way:?}): {wrong}"))?;
            tokio::task::spawn_local(async move {
                let wrong = listener.listen(client, &tally).await;
                tally.lose(client, format!("client {client} ({way:?}) lost its connection: {wrong}"));
            });
            Ok::<(), String>(())
        }));
    }
    for one in connecting {
        one.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}

async fn connect(way: Way, address: SocketAddr, client: usize, token: &str) -> Result<Listener, String> {
    let listener = match way {
        Way::Raw | Way::V1 | Way::SocketIo | Way::Exp => {
            Listener::Socket(Box::new(socket::Socket::connect(way, address, token).await?))
        }
        Way::Sse => Listener::Stream(http::Stream::connect(address).await?),
        Way::PubNub => Listener::Poll(http::Poll::connect(address, client).await?),
    };
    Ok(listener)
}

/// Somebody who is connected and subscribed.
enum Listener {
    Socket(Box<socket::Socket>),
    Stream(http::Stream),
    Poll(http::Poll),
}

impl Listener {
    /// Listens until the connection ends, and says why it did.
    async fn listen(self, client: usize, tally: &Tally) -> String {
        match self {
            Listener::Socket(socket) => socket.listen(client, tally).await,
            Listener::Stream(stream) => stream.listen(client, tally).await,
            Listener::Poll(poll) => poll.listen(client, tally).await,
        }
    }
}
