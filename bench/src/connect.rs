//! Opening many connections at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use crate::connection::{Connection, Frame, ReadBuffer};
use crate::error::Error;
use crate::framing::TEXT;
use crate::greeting::Greeting;
use crate::handshake::Upgrade;
use crate::meter::STALL;
use crate::progress::Progress;
use crate::target::{Part, Protocol, Target};

/// Connections from one source address: below the usual range of ephemeral ports, which is 28,232.
const CONNECTIONS_PER_SOURCE: usize = 25_000;

/// The largest frame that is read before the load begins.
const GREETING_BYTES_MAX: usize = 16 << 10;

/// Connections that are ready for the load, in the order of their numbers, and how long it took to get there.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) connections: Vec<Connection>,
    pub(crate) took: Duration,
}

/// Opens `count` connections, at most `at_once` at the same time. Each is registered with its number as the token.
///
/// Over Socket.IO each is connected to the default namespace, and a subscriber is in the room.
///
/// # Errors
/// The first connection that cannot be made, upgraded or greeted, or that ends meanwhile.
pub(crate) fn open(
    poll: &mut Poll,
    target: &Target,
    count: usize,
    at_once: usize,
    part: impl Fn(usize) -> Part,
) -> Result<Opened, Error> {
    let buffer = ReadBuffer::new(GREETING_BYTES_MAX);
    let mut opener = Opener { target, upgrade: Upgrade::new(), buffer, states: Vec::new() };
    opener.states.reserve_exact(count);
    let mut events = Events::with_capacity(1024);
    let mut progress = Progress::new();
    let mut open = 0;
    let started = Instant::now();
    let mut last_opened = started;
    while open < count {
        while opener.states.len() < count && opener.states.len() - open < at_once {
            let number = opener.states.len();
            opener.begin(poll, number, count, part(number))?;
        }
        poll_events(poll, &mut events, Some(Duration::from_millis(100)))?;
        let now = Instant::now();
        for event in &events {
            if opener.advance(event)? {
                open += 1;
                last_opened = now;
            }
        }
        if now - last_opened > STALL {
            return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding: (count - open) as u64 });
        }
        progress.show(now, || format!("{open} of {count} connections open"));
    }
    let took = started.elapsed();
    progress.clear();
    Ok(Opened { connections: opener.states.into_iter().map(|state| state.connection).collect(), took })
}

/// Waits for events, at most until the timeout.
pub(crate) fn poll_events(
    poll: &mut Poll,
    events: &mut Events,
    timeout: Option<Duration>,
) -> Result<(), Error> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        result => result.map_err(Error::Poll),
    }
}

struct Opener<'a> {
    target: &'a Target,
    upgrade: Upgrade,
    buffer: ReadBuffer,
    states: Vec<Opening>,
}

struct Opening {
    connection: Connection,
    part: Part,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The upgrade request was sent and is not answered.
    Upgrading,
    /// It speaks WebSocket.
    Upgraded(Greeting),
}

impl Opener<'_> {
    fn begin(&mut self, poll: &Poll, number: usize, count: usize, part: Part) -> Result<(), Error> {
        let source = source_address(self.target.address, number, count);
        let stream = connect(self.target.address, source)
            .map_err(|source| Error::Socket { connection: number, source })?;
        let mut connection = Connection::new(number, self.target.protocol, stream);
        connection.send(&self.target.request(part, number))?;
        poll.registry()
            .register(connection.stream_mut(), Token(number), Interest::READABLE | Interest::WRITABLE)
            .map_err(Error::Poll)?;
        self.states.push(Opening { connection, part, stage: Stage::Upgrading });
        Ok(())
    }

    /// Takes an event; true if it made the connection ready.
    fn advance(&mut self, event: &Event) -> Result<bool, Error> {
        let number = event.token().0;
        let Some(opening) = self.states.get_mut(number) else { return Ok(false) };
        let was_ready = opening.is_ready();
        match (opening.stage, self.target.protocol) {
            (Stage::Upgrading, protocol) => {
                opening.advance_upgrade(event, &mut self.buffer, &self.upgrade, protocol)?;
            }
            // What it brings is read with the next that comes, but an end would come only once.
            (Stage::Upgraded(_), Protocol::WebSocket) if event.is_read_closed() => {
                return Err(Error::Closed { connection: number, code: None, reason: String::new() });
            }
            (Stage::Upgraded(_), Protocol::WebSocket) => {}
            // One that is ready is read all the same: its pings are to be answered.
            (Stage::Upgraded(_), Protocol::SocketIo) => {
                opening.greet(number, |connection, on_frame| {
                    connection.handle_event(event, &mut self.buffer, on_frame)
                })?;
            }
        }
        Ok(opening.is_ready() && !was_ready)
    }
}

impl Opening {
    fn is_ready(&self) -> bool {
        self.stage == Stage::Upgraded(Greeting::Done)
    }

    fn advance_upgrade(
        &mut self,
        event: &Event,
        buffer: &mut ReadBuffer,
        upgrade: &Upgrade,
        protocol: Protocol,
    ) -> Result<(), Error> {
        if event.is_writable() {
            self.connection.flush()?;
        }
        let may_read = event.is_readable() || event.is_read_closed() || event.is_error();
        if may_read && self.connection.read_answer(buffer, upgrade)? {
            self.stage = Stage::Upgraded(Greeting::new(protocol));
            if protocol == Protocol::SocketIo {
                let number = event.token().0;
                self.greet(number, |connection, on_frame| connection.take_kept(buffer, on_frame))?;
            }
        }
        Ok(())
    }

    /// Lets the greeting take what `read` brings, and answers it.
    fn greet(
        &mut self,
        number: usize,
        read: impl FnOnce(&mut Connection, &mut dyn FnMut(Frame<'_>) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Stage::Upgraded(mut greeting) = self.stage else { return Ok(()) };
        let (part, mut answers) = (self.part, Vec::new());
        read(&mut self.connection, &mut |frame| {
            answers.extend(greeting.handle_frame(number, part, frame)?);
            Ok(())
        })?;
        self.stage = Stage::Upgraded(greeting);
        answers.into_iter().try_for_each(|answer| self.connection.send_control(TEXT, answer.as_bytes()))
    }
}

/// The loopback address to connect from when one address has not enough ports for all.
fn source_address(target: SocketAddr, number: usize, count: usize) -> Option<SocketAddr> {
    let is_loopback = matches!(target.ip(), IpAddr::V4(ip) if ip.is_loopback());
    if !is_loopback || count <= CONNECTIONS_PER_SOURCE {
        return None;
    }
    let [high, low] = u16::try_from(1 + number / CONNECTIONS_PER_SOURCE).unwrap_or(u16::MAX).to_be_bytes();
    Some(SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0)))
}

fn connect(target: SocketAddr, source: Option<SocketAddr>) -> std::io::Result<TcpStream> {
    let socket =
        Socket::new(Domain::for_address(target), Type::STREAM.nonblocking(), Some(socket2::Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    // Closing resets: thousands of ports left in TIME_WAIT would make the connects of the next run dearer.
    socket.set_linger(Some(Duration::ZERO))?;
    if let Some(source) = source {
        socket.bind(&source.into())?;
    }
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_over_sources_only_where_one_is_too_few() {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let other = SocketAddr::from(([192, 0, 2, 1], 80));
        assert_eq!(source_address(local, 0, CONNECTIONS_PER_SOURCE), None);
        assert_eq!(source_address(other, 0, 100_000), None);
        let first = source_address(local, 24_999, 100_000).unwrap();
        let second = source_address(local, 25_000, 100_000).unwrap();
        assert_eq!(first.ip(), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(second.ip(), Ipv4Addr::new(127, 1, 0, 2));
    }
}
