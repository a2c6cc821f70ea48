//! Who may connect, and on whose account: before TLS, before the first byte is read, or once a proxy has said who it is.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::time::Duration;

use antiphon_access::Network;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use mio::net::TcpStream;

use crate::addresses::{Counts, Place, TooMany};
use crate::connection::{ConnectionKey, Phase, Received};
use crate::handshake::{plain, response_bytes};
use crate::proxy::header::{self, HEADER_BYTES_MAX, Origin};
use crate::socket::Socket;
use crate::{NetSettings, Peer, Worker};

/// When one who is one too many may look again, where nothing says better.
const LATER: Duration = Duration::from_secs(10);

/// A connection or request that is not taken, because there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    /// All workers together have as many connections as they may have.
    #[error("the server has as many connections as it may have")]
    Full,
    /// There is no memory for more.
    #[error(transparent)]
    Overloaded(#[from] antiphon_node::Overloaded),
    /// Its address has used up what it may.
    #[error(transparent)]
    Address(#[from] TooMany),
}

impl TurnedAway {
    /// What it counts as among what is dropped.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            TurnedAway::Full => "connections_max",
            TurnedAway::Overloaded(_) => "memory_bytes_max",
            TurnedAway::Address(TooMany::Connections) => "connections_per_address_max",
            TurnedAway::Address(TooMany::Rate(_)) => "connect_rate_per_address",
        }
    }

    pub(crate) fn response(self) -> Response<Bytes> {
        let (status, retry_after) = match self {
            TurnedAway::Full => (StatusCode::SERVICE_UNAVAILABLE, LATER),
            TurnedAway::Overloaded(overloaded) => (StatusCode::SERVICE_UNAVAILABLE, overloaded.retry_after()),
            TurnedAway::Address(TooMany::Connections) => (StatusCode::TOO_MANY_REQUESTS, LATER),
            TurnedAway::Address(TooMany::Rate(again)) => (StatusCode::TOO_MANY_REQUESTS, again),
        };
        let mut response = plain(status, &self.to_string());
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        let seconds = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header's value");
        response.headers_mut().insert(RETRY_AFTER, seconds);
        response
    }
}

impl NetSettings {
    /// What an address counts as in limits by address; none if they do not apply to it.
    pub(crate) fn network(&self, address: IpAddr) -> Option<Network> {
        // Its clients are counted, each by its own.
        if self.proxies.trust(address) { None } else { self.addresses.network(address) }
    }
}

impl Worker {
    /// Counts in a connection that begins.
    ///
    /// # Errors
    /// It is one too many.
    pub(crate) fn may_connect(&self, network: Option<Network>) -> Result<Option<Place>, TurnedAway> {
        if self.0.load.all() >= self.0.settings.connections_max {
            return Err(TurnedAway::Full);
        }
        self.admit(network, Counts::Beginning)
    }

    /// Counts in a connection, or a request by a proxy, that comes from there.
    ///
    /// # Errors
    /// It is one too many.
    pub(crate) fn admit(
        &self,
        network: Option<Network>,
        counts: Counts,
    ) -> Result<Option<Place>, TurnedAway> {
        let Some(network) = network else { return Ok(None) };
        if counts == Counts::Beginning {
            self.node().overload().check()?;
        }
        Ok(Some(self.0.addresses.enter(network, counts, self.0.now.get().monotonic)?))
    }

    /// Sets who the client of a request is, if it came by a proxy that says so.
    pub(crate) fn look_behind_proxies(&self, headers: &HeaderMap, peer: &mut Peer) {
        let settings = &self.0.settings;
        let Some(told) = settings.proxies.client(headers, peer.address.ip()) else { return };
        peer.tls = told.tls.unwrap_or(peer.tls);
        if let Some(address) = told.address {
            peer.address = address;
            peer.network = settings.network(address.ip());
            // What was shown on the connection is the proxy's.
            peer.certificate = None;
        }
    }

    /// Has a connection that was just accepted begin with a header of the PROXY protocol, if it comes from where they do.
    pub(crate) fn expect_proxy_header(&self, key: ConnectionKey) {
        let mut state = self.0.state.borrow_mut();
        let Some(connection) = state.connections.get_mut(key.0 as usize) else { return };
        if let Phase::Request(peer) = &connection.phase
            && self.0.settings.proxies.speaks_first(peer.address.ip())
        {
            connection.phase = Phase::Proxy(peer.clone());
        }
    }

    /// Reads the header of the PROXY protocol that a connection begins with, and not a byte more: what follows may be TLS.
    pub(crate) fn read_proxy_header(&self, key: ConnectionKey) -> Received {
        let (network, encrypted) = {
            let mut state = self.0.state.borrow_mut();
            let Some(connection) = state.connections.get_mut(key.0 as usize) else {
                return Received::Nothing;
            };
            let Phase::Proxy(peer) = &mut connection.phase else { return Received::Nothing };
            let origin = match take_header(&mut connection.socket) {
                Ok(Some(origin)) => origin,
                Ok(None) if connection.hung_up => return Received::Over,
                Ok(None) => return Received::Nothing,
                Err(error) => {
                    tracing::warn!(%error, proxy = %peer.address, "a connection of a trusted proxy is closed");
                    self.note_drop("proxy header");
                    return Received::Over;
                }
            };
            if let Origin::Client { source, destination, tls } = origin {
                (peer.address, peer.local, peer.tls) = (source, destination, peer.tls || tls);
                peer.network = self.0.settings.network(source.ip());
            }
            let network = peer.network;
            connection.phase = Phase::Request(peer.clone());
            connection.heard = self.0.now.get().monotonic;
            (network, connection.socket.is_encrypted())
        };
        match self.admit(network, Counts::Beginning) {
            Ok(place) => {
                let mut state = self.0.state.borrow_mut();
                if let Some(connection) = state.connections.get_mut(key.0 as usize) {
                    connection.socket.place = place;
                }
                // There may be more, which makes no further event.
                state.read_again(key);
                Received::Nothing
            }
            Err(turned_away) => {
                self.note_drop(turned_away.reason());
                if encrypted {
                    return Received::Over;
                }
                self.turn_away(key, &response_bytes(&turned_away.response()));
                Received::Nothing
            }
        }
    }
}

/// Takes the header off a connection once it is there as a whole.
fn take_header(socket: &mut Socket) -> Result<Option<Origin>, Box<dyn std::error::Error>> {
    let tcp = &mut socket.tcp;
    let mut seen = [0; HEADER_BYTES_MAX];
    let peeked = match tcp.peek(&mut seen) {
        Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        Ok(peeked) => peeked,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some((origin, len)) = header::decode(&seen[..peeked])? else { return Ok(None) };
    // They are there, so it does not block.
    tcp.read_exact(&mut seen[..len])?;
    Ok(Some(origin))
}

/// Answers a connection that is not taken, as far as its socket takes it, and leaves it.
pub(crate) fn answer_and_leave(mut socket: &TcpStream, turned_away: TurnedAway) {
    let _ = socket.write(&response_bytes(&turned_away.response()));
    let _ = socket.shutdown(Shutdown::Write);
    // What is unread when it is closed would have the answer thrown away; most requests have come by now.
    let _ = socket.read(&mut [0; 4096]);
}
