use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use mio::net::TcpStream;

use crate::PeerCertificate;
use crate::addresses::Place;
use crate::tls::session::Session;

/// A connection's socket, as its worker reads and writes it: with TLS if its listener has it.
pub(crate) struct Socket {
    pub(crate) tcp: TcpStream,
    tls: Option<Box<Session>>,
    /// Whether it is to be closed for writing once all is written.
    finishing: bool,
    /// Its place among those of its address; none if limits by address do not apply to it.
    pub(crate) place: Option<Place>,
}

/// A socket that nobody watches: on its way to another thread, or to hyper.
pub(crate) struct Detached {
    pub(crate) tcp: std::net::TcpStream,
    pub(crate) tls: Option<Box<Session>>,
    pub(crate) place: Option<Place>,
}

impl Detached {
    /// A socket without TLS.
    pub(crate) fn plain(tcp: std::net::TcpStream) -> Detached {
        Detached { tcp, tls: None, place: None }
    }
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, tls: Option<Box<Session>>) -> Socket {
        Socket { tcp, tls, finishing: false, place: None }
    }

    /// Takes up a socket from elsewhere.
    pub(crate) fn attach(Detached { tcp, tls, place }: Detached) -> io::Result<Socket> {
        tcp.set_nonblocking(true)?;
        Ok(Socket { place, ..Socket::new(TcpStream::from_std(tcp), tls) })
    }

    /// The socket for somebody else. It has to be out of the epoll set.
    pub(crate) fn detach(self) -> Detached {
        Detached { tcp: std::net::TcpStream::from(OwnedFd::from(self.tcp)), tls: self.tls, place: self.place }
    }

    /// Counts the connection where `place` says, if it is not counted anywhere yet.
    pub(crate) fn take_place(&mut self, place: Option<Place>) {
        self.place = self.place.take().or(place);
    }

    /// The socket, if nothing is encrypted on it.
    #[inline]
    pub(crate) fn as_plain(&mut self) -> Option<&mut TcpStream> {
        self.tls.is_none().then_some(&mut self.tcp)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether its handshake is under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// What the client has shown, once the handshake is through.
    pub(crate) fn certificate(&self) -> Option<PeerCertificate> {
        self.tls.as_ref()?.certificate()
    }

    /// Whether something can be read, or the end be found, without that anything comes.
    pub(crate) fn has_more(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_more())
    }

    /// Whether something that counts as written waits for the socket.
    pub(crate) fn is_sending(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_sending())
    }

    /// Nothing more is written: tells the peer so, behind what waits for the socket.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
        self.go_on_sending();
    }

    /// Goes on with what waits for the socket, as it takes bytes again.
    pub(crate) fn go_on_sending(&mut self) {
        let sent = match &mut self.tls {
            Some(tls) if self.finishing => tls.close(&mut self.tcp),
            Some(tls) => tls.flush(&mut self.tcp),
            None => Ok(()),
        };
        let waits = sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        if self.finishing && !waits {
            // Fails where the peer has gone, which is found when it is read.
            let _ = self.tcp.shutdown(Shutdown::Write);
        }
    }

    /// Says goodbye on a connection that ends at once, if the socket takes it.
    pub(crate) fn part(&mut self) {
        if let Some(tls) = &mut self.tls {
            let _ = tls.close(&mut self.tcp);
        }
    }

    /// Reads what nobody looks at.
    pub(crate) fn read_raw(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(into)
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(into),
            Some(tls) => tls.read(&mut self.tcp, into),
        }
    }
}

impl Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => tls.write(&mut self.tcp, bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write_vectored(slices),
            Some(tls) => tls.write_vectored(&mut self.tcp, slices),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.flush(&mut self.tcp),
        }
    }
}
