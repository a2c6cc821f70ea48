use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use crate::PeerCertificate;
use crate::tls::ALPN_ACME;

/// Up to so many bytes are encrypted and written at once.
const WRITE_MAX: usize = 64 << 10;
/// Room for what they become: each record of 16 KiB is at most 40 bytes longer than what is in it.
const SEALED_MAX: usize = WRITE_MAX + 1024;
/// Up to so many bytes are read at once.
const READ_MAX: usize = 64 << 10;
/// At least so many, whatever room there is for what is in them.
const READ_MIN: usize = 4 << 10;
/// How many bytes of what is not whole yet are kept: a record has at most 16 KiB, and a client's certificates no more than this.
const INCOMING_MAX: usize = 64 << 10;
/// How many bytes of one read may say nothing: more than a handshake has. Records that are empty and changes of keys could keep a thread busy
/// for as long as they come.
const IDLE_MAX: usize = 128 << 10;

thread_local! {
    /// What is read and written goes through here, so that a connection at rest has no buffers.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        wire: vec![0; INCOMING_MAX + READ_MAX],
        sealed: vec![0; SEALED_MAX],
        gathered: Vec::new(),
    });
}

struct Scratch {
    wire: Vec<u8>,
    sealed: Vec<u8>,
    gathered: Vec<u8>,
}

/// TLS on one connection, over whatever socket it is given: a worker's own, or tokio's while hyper has it.
///
/// It reads and writes as a socket does that does not block. What was encrypted and is not written yet is kept here, at most what one write
/// takes; [`Session::flush`] goes on with it.
pub(crate) struct Session {
    tls: UnbufferedServerConnection,
    /// What came and is not a whole record, or not a whole message of the handshake.
    incoming: Vec<u8>,
    /// What was read and had no room where it was to go; the first `given` bytes have gone.
    plain: Vec<u8>,
    given: usize,
    /// What is to be written; the first `sent` bytes are.
    outgoing: Vec<u8>,
    sent: usize,
    /// Why nothing more is read.
    end: Option<End>,
    /// Whether the peer has been told that nothing more comes.
    closed: bool,
}

#[derive(Clone, Debug)]
enum End {
    /// The peer says so, or has gone.
    Closed,
    /// What came is not TLS, or not as it has to be.
    Broken(rustls::Error),
    Failed(io::ErrorKind),
}

impl End {
    fn result(&self) -> io::Result<usize> {
        match self {
            End::Closed => Ok(0),
            End::Broken(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())),
            End::Failed(kind) => Err((*kind).into()),
        }
    }
}

/// What is done once the session can encrypt.
enum Task<'a> {
    Nothing,
    Encrypt { plain: &'a [u8], sealed: &'a mut [u8], len: &'a mut usize },
    Close,
}

impl Session {
    /// A session that waits for its client's first word.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Session, rustls::Error> {
        Ok(Session {
            tls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            plain: Vec::new(),
            given: 0,
            outgoing: Vec::new(),
            sent: 0,
            end: None,
            closed: false,
        })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// What the client has shown, once the handshake is through.
    pub(crate) fn certificate(&self) -> Option<PeerCertificate> {
        let chain = self.tls.peer_certificates()?.to_vec();
        Some(PeerCertificate { chain })
    }

    /// Whether [`Session::read`] has something without that anything comes.
    pub(crate) fn has_more(&self) -> bool {
        self.given < self.plain.len() || self.end.is_some()
    }

    /// Whether something is encrypted and not written yet.
    pub(crate) fn is_sending(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// Reads as far as there is room and something has come. Less than there is room for means that the socket has been emptied, or
    /// [`Session::has_more`].
    pub(crate) fn read(&mut self, socket: &mut (impl Read + Write), into: &mut [u8]) -> io::Result<usize> {
        let mut filled = self.take_plain(into);
        let mut idle = 0;
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                if filled == into.len() {
                    return Ok(filled);
                }
                if let Some(end) = &self.end {
                    return if filled > 0 { Ok(filled) } else { end.result() };
                }
                let at = self.incoming.len();
                let most = (into.len() - filled + 1024).clamp(READ_MIN, READ_MAX);
                let read = match socket.read(&mut scratch.wire[at..at + most]) {
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) if filled == 0 => return Err(error),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(filled),
                    Err(error) => {
                        self.end = Some(End::Failed(error.kind()));
                        return Ok(filled);
                    }
                };
                if read == 0 {
                    self.end = Some(End::Closed);
                    continue;
                }
                idle += read;
                scratch.wire[..at].copy_from_slice(&self.incoming);
                filled += self.handle(&mut scratch.wire[..at + read], &mut into[filled..]);
                // Answers of the handshake, and alerts. A socket that takes them later says so.
                match self.send(socket) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        self.end.get_or_insert(End::Failed(error.kind()));
                    }
                    _ => {}
                }
                if filled == 0 && idle > IDLE_MAX {
                    self.end.get_or_insert(End::Failed(io::ErrorKind::InvalidData));
                }
                // The socket is empty: what comes later is a new event.
                if filled > 0 && read < most {
                    return Ok(filled);
                }
            }
        })
    }

    fn take_plain(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.plain[self.given..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        if self.given == self.plain.len() {
            self.plain = Vec::new();
            self.given = 0;
        }
        len
    }

    /// Handles what has come: all that is kept, and what was read behind it. Says how much of what is in it went `into`.
    fn handle(&mut self, wire: &mut [u8], into: &mut [u8]) -> usize {
        let mut sink = Sink { into, filled: 0, rest: &mut self.plain };
        let (used, end) = drive(&mut self.tls, wire, &mut sink, &mut self.outgoing, Task::Nothing);
        let filled = sink.filled;
        self.end = end;
        let rest = &wire[used..];
        // Its memory is kept for no longer than something is in it.
        self.incoming = if self.end.is_some() { Vec::new() } else { rest.to_vec() };
        if self.incoming.len() >= INCOMING_MAX {
            self.end = Some(End::Failed(io::ErrorKind::InvalidData));
        }
        if self.end.is_none() && !self.tls.is_handshaking() && self.tls.alpn_protocol() == Some(ALPN_ACME) {
            self.end = Some(End::Closed);
        }
        filled
    }

    /// Encrypts and writes; what the socket does not take is kept, and counts as written.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] as long as what was kept is not written; those of the socket.
    pub(crate) fn write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        self.send(socket)?;
        if self.closed || matches!(self.end, Some(End::Broken(_) | End::Failed(_))) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let bytes = &bytes[..bytes.len().min(WRITE_MAX)];
        SCRATCH.with_borrow_mut(|scratch| {
            let mut len = 0;
            self.perform(Task::Encrypt { plain: bytes, sealed: &mut scratch.sealed, len: &mut len })?;
            if len == 0 && !bytes.is_empty() {
                // Nobody writes before something was read.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let sealed = &scratch.sealed[..len];
            let mut written = 0;
            if !self.is_sending() {
                written = write_all(socket, sealed)?;
            }
            self.keep(&sealed[written..]);
            self.send_or_wait(socket)?;
            Ok(bytes.len())
        })
    }

    /// As [`Session::write`], from several pieces.
    pub(crate) fn write_vectored(
        &mut self,
        socket: &mut impl Write,
        slices: &[io::IoSlice<'_>],
    ) -> io::Result<usize> {
        let mut gathered = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.gathered));
        gathered.clear();
        for slice in slices {
            let room = WRITE_MAX - gathered.len();
            gathered.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        let written = self.write(socket, &gathered);
        SCRATCH.with_borrow_mut(|scratch| scratch.gathered = gathered);
        written
    }

    /// Writes what is kept.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if the socket does not take all of it; those of the socket.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        self.send(socket)
    }

    /// Tells the peer that nothing more comes, and writes what is kept.
    ///
    /// # Errors
    /// As [`Session::flush`].
    pub(crate) fn close(&mut self, socket: &mut impl Write) -> io::Result<()> {
        let speaks = !matches!(self.end, Some(End::Broken(_) | End::Failed(_))) && !self.is_handshaking();
        if !std::mem::replace(&mut self.closed, true) && speaks {
            // At worst the peer hears of it by the end of the connection alone.
            let _ = self.perform(Task::Close);
        }
        self.send(socket)
    }

    /// Does something with a session that has nothing to read at this moment.
    fn perform(&mut self, task: Task<'_>) -> io::Result<()> {
        // What is not whole yet is its to look at: it knows how far it has come with it.
        let mut incoming = std::mem::take(&mut self.incoming);
        let mut sink = Sink { into: &mut [], filled: 0, rest: &mut self.plain };
        let (used, end) = drive(&mut self.tls, &mut incoming, &mut sink, &mut self.outgoing, task);
        incoming.drain(..used);
        self.incoming = incoming;
        if let Some(End::Broken(error)) = end {
            self.end = Some(End::Broken(error.clone()));
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }

    fn keep(&mut self, sealed: &[u8]) {
        if !self.is_sending() {
            self.outgoing.clear();
            self.sent = 0;
        }
        self.outgoing.extend_from_slice(sealed);
    }

    fn send(&mut self, socket: &mut impl Write) -> io::Result<()> {
        if !self.is_sending() {
            return Ok(());
        }
        self.sent += write_all(socket, &self.outgoing[self.sent..])?;
        if self.is_sending() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outgoing = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Writes what is kept, as far as the socket takes it.
    fn send_or_wait(&mut self, socket: &mut impl Write) -> io::Result<()> {
        match self.send(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            sent => sent,
        }
    }
}

/// Where what was decrypted goes.
struct Sink<'a> {
    into: &'a mut [u8],
    filled: usize,
    /// What has no room there.
    rest: &'a mut Vec<u8>,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let len = if self.rest.is_empty() { bytes.len().min(self.into.len() - self.filled) } else { 0 };
        self.into[self.filled..self.filled + len].copy_from_slice(&bytes[..len]);
        self.filled += len;
        self.rest.extend_from_slice(&bytes[len..]);
    }
}

/// Goes as far as what has come allows, then does the task. Says how many of the bytes are used, and why there is nothing more to read.
fn drive(
    tls: &mut UnbufferedServerConnection,
    wire: &mut [u8],
    sink: &mut Sink<'_>,
    outgoing: &mut Vec<u8>,
    mut task: Task<'_>,
) -> (usize, Option<End>) {
    let mut used = 0;
    let mut end = None;
    loop {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut wire[used..]);
        let step = match state {
            Ok(state) => step(state, sink, outgoing, &mut task, &mut end),
            Err(error) => Err(error),
        };
        used += discard;
        match step {
            Ok(Step::More) => {}
            Ok(Step::Done) => return (used, end),
            Err(error) => {
                last_words(tls, &mut wire[used..], outgoing);
                return (used, Some(End::Broken(error)));
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
}

fn step<D>(
    state: ConnectionState<'_, '_, D>,
    sink: &mut Sink<'_>,
    outgoing: &mut Vec<u8>,
    task: &mut Task<'_>,
    end: &mut Option<End>,
) -> Result<Step, rustls::Error> {
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                sink.put(record?.payload);
            }
        }
        ConnectionState::EncodeTlsData(mut data) => {
            append(outgoing, |room| match data.encode(room) {
                Err(EncodeError::InsufficientSize(size)) => Err(Some(size.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
                Ok(len) => Ok(len),
            })?;
        }
        // It is kept, and comes before all that is written later.
        ConnectionState::TransmitTlsData(data) => data.done(),
        ConnectionState::PeerClosed => *end = Some(End::Closed),
        ConnectionState::WriteTraffic(mut traffic) => {
            match task {
                Task::Nothing => {}
                Task::Encrypt { plain, sealed, len } => match traffic.encrypt(plain, sealed) {
                    Ok(written) => **len = written,
                    Err(_) => return Err(rustls::Error::EncryptError),
                },
                Task::Close => append(outgoing, |room| match traffic.queue_close_notify(room) {
                    Err(EncryptError::InsufficientSize(size)) => Err(Some(size.required_size)),
                    Err(EncryptError::EncryptExhausted) => Err(None),
                    Ok(len) => Ok(len),
                })?,
            }
            return Ok(Step::Done);
        }
        ConnectionState::BlockedHandshake | ConnectionState::Closed => return Ok(Step::Done),
        // Early data, which the settings do not allow, and what rustls may add.
        _ => return Err(rustls::Error::General("not supported".into())),
    }
    Ok(Step::More)
}

/// Appends what `write` writes; it says how much room it needs if there is too little.
fn append(
    outgoing: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), rustls::Error> {
    let at = outgoing.len();
    let mut room = 0;
    loop {
        outgoing.resize(at + room, 0);
        match write(&mut outgoing[at..]) {
            Ok(len) => {
                outgoing.truncate(at + len);
                return Ok(());
            }
            Err(Some(required)) if required > room => room = required,
            Err(_) => return Err(rustls::Error::EncryptError),
        }
    }
}

/// The alert that tells the peer what was wrong.
fn last_words(tls: &mut UnbufferedServerConnection, wire: &mut [u8], outgoing: &mut Vec<u8>) {
    let mut used = 0;
    // No further: what was wrong must not be looked at twice.
    while tls.wants_write() {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut wire[used..]);
        let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
        let appended = append(outgoing, |room| match data.encode(room) {
            Err(EncodeError::InsufficientSize(size)) => Err(Some(size.required_size)),
            Err(EncodeError::AlreadyEncoded) => Err(None),
            Ok(len) => Ok(len),
        });
        used += discard;
        if appended.is_err() {
            return;
        }
    }
}

/// Writes until all is written or the socket takes no more; says how much it took.
fn write_all(socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match socket.write(&bytes[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
