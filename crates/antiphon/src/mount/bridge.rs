use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

/// A socket whose other end is joined to a connection that is none: a task copies both ways until one side ends.
///
/// A worker reads and writes the socket as it does any other: that it is of another family makes no difference to that.
pub(super) fn bridge(upgraded: Upgraded) -> io::Result<TcpStream> {
    let (near, far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let mut near = tokio::net::UnixStream::from_std(near)?;
    tokio::spawn(async move {
        let mut connection = TokioIo::new(upgraded);
        if let Err(error) = tokio::io::copy_bidirectional(&mut connection, &mut near).await {
            tracing::debug!(%error, "a bridged connection ended");
        }
    });
    Ok(TcpStream::from(OwnedFd::from(far)))
}
