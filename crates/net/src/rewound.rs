use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::addresses::Place;
use crate::socket::Detached;
use crate::tls::session::Session;

/// What is decrypted at once: as much as a record has.
const DECRYPTED_MAX: usize = 16 << 10;

/// A socket of which something has been read already.
///
/// Writing to it fails once the peer has taken nothing for so long: who does not read is not waited for.
pub(crate) struct Rewound {
    read: Bytes,
    socket: TcpStream,
    tls: Option<Box<Session>>,
    place: Option<Place>,
    write_timeout: Duration,
    /// While a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Rewound {
    /// Within a runtime.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub(crate) fn new(read: Bytes, socket: Detached, write_timeout: Duration) -> io::Result<Rewound> {
        let Detached { tcp, tls, place } = socket;
        Ok(Rewound { read, socket: TcpStream::from_std(tcp)?, tls, place, write_timeout, stalled: None })
    }

    /// What was not read again, and the socket.
    ///
    /// # Errors
    /// The runtime does not let go of the socket.
    pub(crate) fn into_parts(self) -> io::Result<(Bytes, Detached)> {
        Ok((self.read, Detached { tcp: self.socket.into_std()?, tls: self.tls, place: self.place }))
    }

    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(write_timeout)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            let Rewound { socket, tls, .. } = &mut *self;
            let Some(tls) = tls else { return Pin::new(socket).poll_read(cx, into) };
            let room = into.initialize_unfilled_to(into.remaining().min(DECRYPTED_MAX));
            let read = tls.read(&mut Polled { socket, cx }, room);
            return waited(read).map_ok(|read| into.advance(read));
        }
        let len = self.read.len().min(into.remaining());
        into.put_slice(&self.read[..len]);
        self.read.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Rewound { socket, tls, .. } = &mut *self;
        let written = match tls {
            None => Pin::new(socket).poll_write(cx, bytes),
            Some(tls) => waited(tls.write(&mut Polled { socket, cx }, bytes)),
        };
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Rewound { socket, tls, .. } = &mut *self;
        let written = match tls {
            None => Pin::new(socket).poll_write_vectored(cx, slices),
            Some(tls) => waited(tls.write_vectored(&mut Polled { socket, cx }, slices)),
        };
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        // What is encrypted is gathered in any case.
        self.tls.is_none()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Rewound { socket, tls, .. } = &mut *self;
        let Some(tls) = tls else { return Pin::new(socket).poll_flush(cx) };
        // What was taken from hyper and not by the socket.
        let flushed = waited(tls.flush(&mut Polled { socket, cx }));
        self.watch(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Rewound { socket, tls, .. } = &mut *self;
        if let Some(tls) = tls {
            let closed = waited(tls.close(&mut Polled { socket, cx }));
            match self.watch(closed, cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A socket of tokio's as one that does not block: what would have to wait has the task woken.
struct Polled<'a, 'cx> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'cx>,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut into) {
            Poll::Ready(read) => read.map(|()| into.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.cx, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn waited<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
