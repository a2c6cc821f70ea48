//! Opening many connections at once.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use crate::connection::{Connection, Frame, ReadBuffer};
use crate::error::Error;
use crate::handshake::Upgrade;
use crate::meter::STALL;
use crate::progress::Progress;
use crate::target::{Part, Target};
use crate::wire::{Script, Step};

/// Connections from one source address: as many as Antiphon takes unless it is told otherwise
/// (`limits.connections_per_address_max`), and fewer than the usual range of ephemeral ports, which is 28,232.
const CONNECTIONS_PER_SOURCE: usize = 10_000;

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
/// Each has been greeted as its part asks for: a subscriber is one when this is done. What comes after that is passed over.
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
    let mut opener = Opener::new(target, count, GREETING_BYTES_MAX);
    let mut events = Events::with_capacity(1024);
    let mut progress = Progress::new();
    let started = Instant::now();
    let mut last_opened = started;
    while opener.open < count {
        while opener.begun() < count && opener.begun() - opener.open < at_once {
            opener.begin(poll, part(opener.begun()))?;
        }
        poll_events(poll, &mut events, Some(Duration::from_millis(100)))?;
        let now = Instant::now();
        let open_before = opener.open;
        for event in &events {
            opener.handle_event(event, &mut |number, frame, greeted| match greeted {
                Greeted::No => Err(frame.unexpected(number)),
                Greeted::Yes => Ok(()),
            })?;
        }
        let open = opener.open;
        if open > open_before {
            last_opened = now;
        }
        if now - last_opened > STALL {
            return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding: (count - open) as u64 });
        }
        progress.show(now, || format!("{open} of {count} connections open"));
    }
    let took = started.elapsed();
    progress.clear();
    Ok(Opened { connections: opener.into_connections(), took })
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

/// Connections that are being opened, and those that are open already.
pub(crate) struct Opener<'a> {
    target: &'a Target,
    /// How many there will be.
    count: usize,
    upgrade: Upgrade,
    buffer: ReadBuffer,
    states: Vec<Opening>,
    /// How many are ready for the load.
    pub(crate) open: usize,
}

struct Opening {
    connection: Connection,
    stage: Stage,
}

enum Stage {
    /// The request was sent and is not answered.
    Head(Vec<Step>),
    /// These are still to be waited for.
    Greeting(VecDeque<Step>),
    Ready,
}

/// Whether a frame came after all that its connection's greeting waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeted {
    No,
    Yes,
}

impl<'a> Opener<'a> {
    /// Opens none yet. Frames of up to so many bytes can come.
    pub(crate) fn new(target: &'a Target, count: usize, frame_bytes_max: usize) -> Self {
        let mut states = Vec::new();
        states.reserve_exact(count);
        let buffer = ReadBuffer::new(frame_bytes_max);
        Self { target, count, upgrade: Upgrade::new(), buffer, states, open: 0 }
    }

    /// How many connections have been begun.
    pub(crate) fn begun(&self) -> usize {
        self.states.len()
    }

    /// Begins the next one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn begin(&mut self, poll: &Poll, part: Part) -> Result<(), Error> {
        let number = self.begun();
        let source = source_address(self.target.address, number, self.count);
        let stream = connect(self.target.address, source)
            .map_err(|source| Error::Socket { connection: number, source })?;
        let Script { framing, hello, steps } = self.target.script(part, number);
        let mut connection = Connection::new(number, framing, stream);
        connection.send(&hello)?;
        poll.registry()
            .register(connection.stream_mut(), Token(number), Interest::READABLE | Interest::WRITABLE)
            .map_err(Error::Poll)?;
        let stage = if connection.has_head() { Stage::Head(steps) } else { Stage::Greeting(steps.into()) };
        self.states.push(Opening { connection, stage });
        Ok(())
    }

    /// Takes an event. Frames that are no part of the greeting go to `on_frame`, with the number of their connection.
    ///
    /// # Errors
    /// The connection cannot be made, or ended, or `on_frame` failed.
    pub(crate) fn handle_event(
        &mut self,
        event: &Event,
        on_frame: &mut impl FnMut(usize, Frame<'_>, Greeted) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let number = event.token().0;
        let Some(opening) = self.states.get_mut(number) else { return Ok(()) };
        let was_ready = matches!(opening.stage, Stage::Ready);
        let buffer = &mut self.buffer;
        if let Stage::Head(steps) = &mut opening.stage {
            if event.is_writable() {
                opening.connection.flush()?;
            }
            let may_read = event.is_readable() || event.is_read_closed() || event.is_error();
            if !may_read || !opening.connection.read_answer(buffer, &self.upgrade)? {
                return Ok(());
            }
            opening.stage = Stage::of(std::mem::take(steps).into());
            opening.take(number, on_frame, |connection, on_frame| connection.take_kept(buffer, on_frame))?;
        } else {
            opening.take(number, on_frame, |connection, on_frame| {
                connection.handle_event(event, buffer, on_frame)
            })?;
        }
        if !was_ready && matches!(opening.stage, Stage::Ready) {
            self.open += 1;
        }
        Ok(())
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn into_connections(self) -> Vec<Connection> {
        self.states.into_iter().map(|state| state.connection).collect()
    }
}

impl Stage {
    fn of(steps: VecDeque<Step>) -> Self {
        if steps.is_empty() { Self::Ready } else { Self::Greeting(steps) }
    }
}

impl Opening {
    /// Lets the greeting take of what `read` brings, and answers it.
    fn take(
        &mut self,
        number: usize,
        on_frame: &mut impl FnMut(usize, Frame<'_>, Greeted) -> Result<(), Error>,
        read: impl FnOnce(&mut Connection, &mut dyn FnMut(Frame<'_>) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (connection, stage) = (&mut self.connection, &mut self.stage);
        let mut answers = Vec::new();
        read(connection, &mut |frame| match stage {
            Stage::Greeting(steps) => match steps.pop_front_if(|step| step.is(frame)) {
                Some(step) => {
                    answers.extend_from_slice(&step.say);
                    if steps.is_empty() {
                        *stage = Stage::Ready;
                    }
                    Ok(())
                }
                None => on_frame(number, frame, Greeted::No),
            },
            Stage::Head(_) | Stage::Ready => on_frame(number, frame, Greeted::Yes),
        })?;
        if answers.is_empty() { Ok(()) } else { connection.send(&answers) }
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
        let first = source_address(local, 9_999, 100_000).unwrap();
        let second = source_address(local, 10_000, 100_000).unwrap();
        assert_eq!(first.ip(), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(second.ip(), Ipv4Addr::new(127, 1, 0, 2));
    }
}
