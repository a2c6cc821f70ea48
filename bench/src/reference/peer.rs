//! A connection of the reference: 16 bytes when idle, since nearly all of them are.

use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::{Gone, MESSAGE_BYTES_MAX, READ_BYTES};

/// Bytes that may wait for a peer that does not read, before it is let go.
const UNSENT_BYTES_MAX: usize = 64 << 20;

/// What a peer asked for in its upgrade request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// The request has not come yet.
    #[default]
    Unknown,
    Echo,
    Subscriber,
    Publisher,
    /// Speaks Socket.IO, and is in no room.
    SocketIo,
    /// Speaks Socket.IO, and is in the room.
    SocketIoSubscriber,
}

/// A slot for a peer; the default is an empty one.
#[derive(Default)]
pub(super) struct Peer {
    pending: Option<Box<Pending>>,
    socket: Option<OwnedFd>,
    role: Role,
}

/// What a peer has only while something of it is under way.
#[derive(Default)]
struct Pending {
    partial: Vec<u8>,
    unsent: Vec<u8>,
    unsent_from: usize,
}

impl Peer {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { pending: None, socket: Some(socket), role: Role::Unknown }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    fn socket(&self) -> Result<&OwnedFd, Gone> {
        self.socket.as_ref().ok_or(Gone)
    }

    /// Puts the beginning of a frame that was kept, and what a read gives, into `buffer`; says how many bytes that is.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>) -> Result<Option<usize>, Gone> {
        let kept = self.pending.as_ref().map_or(0, |pending| pending.partial.len());
        if buffer.len() < kept + READ_BYTES {
            buffer.resize(kept + READ_BYTES, 0);
        }
        let count = match rustix::io::read(self.socket()?, &mut buffer[kept..]) {
            Ok(0) => return Err(Gone),
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(_) => return Err(Gone),
        };
        if let Some(pending) = self.pending.as_mut().filter(|_| kept > 0) {
            buffer[..kept].copy_from_slice(&pending.partial);
            pending.partial.clear();
        }
        Ok(Some(kept + count))
    }

    /// Keeps the beginning of a frame.
    pub(super) fn keep_partial(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= MESSAGE_BYTES_MAX + READ_BYTES);
        if bytes.is_empty() {
            self.give_back();
        } else {
            self.pending.get_or_insert_default().partial.extend_from_slice(bytes);
        }
    }

    /// Writes what the socket takes and keeps the rest for [`flush`](Self::flush).
    pub(super) fn write(&mut self, bytes: &[u8], epoll: &OwnedFd) -> Result<(), Gone> {
        if let Some(pending) = self.pending.as_mut().filter(|pending| !pending.unsent.is_empty()) {
            return pending.keep_unsent(bytes);
        }
        let taken = self.write_some(bytes)?;
        if taken < bytes.len() {
            self.pending.get_or_insert_default().keep_unsent(&bytes[taken..])?;
            self.watch(epoll, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }

    /// Writes what was kept; true when nothing of it is left.
    pub(super) fn flush(&mut self, epoll: &OwnedFd) -> Result<bool, Gone> {
        let Some(mut pending) = self.pending.take() else { return Ok(true) };
        let taken = self.write_some(&pending.unsent[pending.unsent_from..])?;
        pending.unsent_from += taken;
        let all = pending.unsent_from == pending.unsent.len();
        if all {
            pending.unsent = Vec::new();
            pending.unsent_from = 0;
            self.watch(epoll, EventFlags::IN)?;
        }
        self.pending = Some(pending);
        Ok(all)
    }

    /// Frees what an idle peer does not need.
    pub(super) fn give_back(&mut self) {
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.partial.is_empty() && pending.unsent.is_empty())
        {
            self.pending = None;
        }
    }

    fn write_some(&self, bytes: &[u8]) -> Result<usize, Gone> {
        match rustix::io::write(self.socket()?, bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(Gone),
        }
    }

    fn watch(&self, epoll: &OwnedFd, flags: EventFlags) -> Result<(), Gone> {
        use std::os::fd::AsRawFd as _;
        let socket = self.socket()?;
        let data = EventData::new_u64(socket.as_raw_fd() as u64);
        epoll::modify(epoll, socket, data, flags).map_err(|_| Gone)
    }
}

impl Pending {
    fn keep_unsent(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.unsent.len() - self.unsent_from + bytes.len() > UNSENT_BYTES_MAX {
            return Err(Gone);
        }
        // What has been written goes once it is the larger part, so that each byte is moved at most once on average.
        if self.unsent_from > self.unsent.len() / 2 {
            self.unsent.drain(..self.unsent_from);
            self.unsent_from = 0;
        }
        self.unsent.extend_from_slice(bytes);
        Ok(())
    }
}
