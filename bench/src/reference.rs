//! The reference: echo and fan-out on bare epoll, one thread, as little work as the kernel lets one get away with. It is what the suite's ratios are relative to, and no example of a server: it has no channels, no limits on
//! who does what, and takes only unfragmented frames.
//!
//! Paths of the upgrade request: `/echo` gets its frames back; `/fanout?subscribe` gets every frame that anyone sends to
//! `/fanout`; `/fanout` alone only sends; `/socket.io/` has the same for the events of the Socket.IO loads.

mod peer;
mod socketio;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use antiphon_bench::framing::{self, Header, apply_mask, push_frame, push_header};
use antiphon_bench::{handshake, process};
use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use peer::{Peer, Role};
use socketio::Packet;

/// Messages that one write carries at most, when there are as many.
const MESSAGES_PER_WRITE: usize = 64;

/// Bytes that one read asks for.
const READ_BYTES: usize = 256 << 10;

/// The largest message; the beginning of one is kept until the rest has come.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Connections taken in before the others have their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Options of the reference server.
#[derive(Debug, Args)]
pub(crate) struct ReferenceArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write each message to each subscriber by itself
    #[arg(long)]
    no_coalesce: bool,
}

/// Serves until an error ends it.
pub(crate) fn serve(args: &ReferenceArgs) -> io::Result<()> {
    process::raise_open_files_limit();
    let messages_per_write = if args.no_coalesce { 1 } else { MESSAGES_PER_WRITE };
    let mut reference = Reference::listen(args.listen, messages_per_write)?;
    println!("listening on http://{}", reference.address()?);
    loop {
        reference.turn()?;
    }
}

struct Reference {
    epoll: OwnedFd,
    listener: OwnedFd,
    events: Vec<epoll::Event>,
    /// By file descriptor.
    peers: Vec<Peer>,
    /// File descriptors.
    subscribers: Vec<u32>,
    messages_per_write: usize,
    read_buffer: Vec<u8>,
    /// What goes back to the sender of what was read.
    answer: Vec<u8>,
    /// What goes to every subscriber.
    broadcast_frames: Vec<u8>,
    broadcast_messages: usize,
}

/// A peer is to be forgotten: it has gone, or sent what is not taken here.
struct Gone;

impl Reference {
    fn listen(address: SocketAddr, messages_per_write: usize) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        rustix::net::bind(&listener, &address)?;
        rustix::net::listen(&listener, 4096)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(listener.as_raw_fd() as u64), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            events: Vec::with_capacity(1024),
            peers: Vec::new(),
            subscribers: Vec::new(),
            messages_per_write,
            read_buffer: vec![0; READ_BYTES],
            answer: Vec::new(),
            broadcast_frames: Vec::new(),
            broadcast_messages: 0,
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        let address = rustix::net::getsockname(&self.listener)?;
        SocketAddr::try_from(address).map_err(io::Error::from)
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let fd = event.data.u64() as usize;
            if fd == self.listener.as_raw_fd() as usize {
                self.accept()?;
            } else if self.handle_event(fd, event.flags).is_err() {
                self.forget(fd);
            }
        }
        self.flush_broadcast();
        self.events = events;
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match rustix::net::accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN | Errno::MFILE | Errno::NFILE) => break,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()),
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            let fd = socket.as_raw_fd() as usize;
            epoll::add(&self.epoll, &socket, EventData::new_u64(fd as u64), EventFlags::IN)?;
            if self.peers.len() <= fd {
                self.peers.resize_with(fd + 1, Peer::default);
            }
            self.peers[fd] = Peer::new(socket);
        }
        Ok(())
    }

    fn handle_event(&mut self, fd: usize, flags: EventFlags) -> Result<(), Gone> {
        if flags.contains(EventFlags::OUT) && self.peers[fd].flush(&self.epoll)? {
            self.peers[fd].give_back();
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            // Taken out so that a message can be copied from it to where it goes while `self` is in use.
            let mut buffer = std::mem::take(&mut self.read_buffer);
            let result = self.read(fd, &mut buffer);
            self.read_buffer = buffer;
            result?;
        }
        Ok(())
    }

    fn read(&mut self, fd: usize, buffer: &mut Vec<u8>) -> Result<(), Gone> {
        let Some(filled) = self.peers[fd].read(buffer)? else { return Ok(()) };
        self.answer.clear();
        let mut at = 0;
        if self.peers[fd].role() == Role::Unknown {
            at = self.upgrade(fd, &buffer[..filled])?;
        }
        if self.peers[fd].role() != Role::Unknown {
            at += self.take_frames(fd, &mut buffer[at..filled])?;
        }
        let peer = &mut self.peers[fd];
        peer.keep_partial(&buffer[at..filled]);
        if !self.answer.is_empty() {
            peer.write(&self.answer, &self.epoll)?;
        }
        Ok(())
    }

    /// Answers the upgrade request when it is all there, and says how many bytes it took.
    fn upgrade(&mut self, fd: usize, bytes: &[u8]) -> Result<usize, Gone> {
        let Some(head_bytes) = handshake::head_bytes(bytes) else {
            return if bytes.len() > handshake::HEAD_BYTES_MAX { Err(Gone) } else { Ok(0) };
        };
        let head = std::str::from_utf8(&bytes[..head_bytes]).map_err(|_| Gone)?;
        let path = head.split(' ').nth(1).ok_or(Gone)?;
        let key = handshake::header(head, "sec-websocket-key").ok_or(Gone)?;
        let role = match path {
            "/echo" => Role::Echo,
            "/fanout?subscribe" => Role::Subscriber,
            _ if path.starts_with("/fanout") => Role::Publisher,
            _ if path.starts_with("/socket.io/") => Role::SocketIo,
            _ => return Err(Gone),
        };
        let accept = handshake::accept(key);
        for part in [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
            &accept,
            "\r\n\r\n",
        ] {
            self.answer.extend_from_slice(part.as_bytes());
        }
        self.peers[fd].set_role(role);
        match role {
            Role::Subscriber => self.subscribers.push(fd as u32),
            Role::SocketIo => push_frame(&mut self.answer, framing::TEXT, socketio::OPEN.as_bytes(), None),
            _ => {}
        }
        Ok(head_bytes)
    }

    /// Takes every whole frame, and says how many bytes they took.
    fn take_frames(&mut self, fd: usize, bytes: &mut [u8]) -> Result<usize, Gone> {
        let role = self.peers[fd].role();
        let mut at = 0;
        loop {
            let header = Header::read(&bytes[at..], MESSAGE_BYTES_MAX).map_err(|_| Gone)?;
            let Some(header) = header.filter(|header| header.frame_bytes() <= bytes.len() - at) else {
                return Ok(at);
            };
            let payload = &mut bytes[at + header.header_bytes..at + header.frame_bytes()];
            apply_mask(payload, header.mask.ok_or(Gone)?);
            match header.opcode {
                framing::CLOSE => return Err(Gone),
                framing::PING => push_frame(&mut self.answer, framing::PONG, payload, None),
                framing::PONG => {}
                opcode if role == Role::Echo => push_frame(&mut self.answer, opcode, payload, None),
                _ if matches!(role, Role::SocketIo | Role::SocketIoSubscriber) => {
                    self.take_packet(fd, Packet::read(payload).ok_or(Gone)?);
                }
                opcode => self.broadcast(opcode, &[payload]),
            }
            at += header.frame_bytes();
        }
    }

    fn take_packet(&mut self, fd: usize, packet: Packet<'_>) {
        let answer = &mut self.answer;
        match packet {
            Packet::Connect => push_text(answer, &[socketio::CONNECTED.as_bytes()]),
            Packet::Pong => {}
            Packet::Join { id } => {
                push_text(answer, &[b"43", id, b"[]"]);
                if self.peers[fd].role() == Role::SocketIo {
                    self.peers[fd].set_role(Role::SocketIoSubscriber);
                    self.subscribers.push(fd as u32);
                }
            }
            Packet::Echo { id, rest } => push_text(answer, &[b"43", id, b"[", rest]),
            Packet::Broadcast { rest } => self.broadcast(framing::TEXT, &[b"42[\"m\",", rest]),
        }
    }

    fn broadcast(&mut self, opcode: u8, parts: &[&[u8]]) {
        push_parts(&mut self.broadcast_frames, opcode, parts);
        self.broadcast_messages += 1;
        if self.broadcast_messages == self.messages_per_write {
            self.flush_broadcast();
        }
    }

    fn flush_broadcast(&mut self) {
        if std::mem::take(&mut self.broadcast_messages) == 0 {
            return;
        }
        let mut at = 0;
        while let Some(&fd) = self.subscribers.get(at) {
            match self.peers[fd as usize].write(&self.broadcast_frames, &self.epoll) {
                Ok(()) => at += 1,
                // Takes it from the list, so that the next one stands where it stood.
                Err(Gone) => self.forget(fd as usize),
            }
        }
        self.broadcast_frames.clear();
    }

    fn forget(&mut self, fd: usize) {
        if matches!(self.peers[fd].role(), Role::Subscriber | Role::SocketIoSubscriber) {
            self.subscribers.retain(|&subscriber| subscriber as usize != fd);
        }
        // Closing the socket takes it out of the epoll set.
        self.peers[fd] = Peer::default();
    }
}

fn push_text(out: &mut Vec<u8>, parts: &[&[u8]]) {
    push_parts(out, framing::TEXT, parts);
}

/// Appends one frame of several parts.
#[inline]
fn push_parts(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    push_header(out, opcode, parts.iter().map(|part| part.len()).sum(), None);
    for part in parts {
        out.extend_from_slice(part);
    }
}
