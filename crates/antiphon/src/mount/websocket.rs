use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use antiphon_engineio::{Refusal, Request, RequestKind};
use antiphon_net::websocket::Upgrade;
use antiphon_net::{Adopted, Peer};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;

use super::{Mounted, bridge};

/// Answers that it is a WebSocket, and hands the socket over once that has been sent. What is wrong with the request by itself is
/// refused here; a session that there is not, or a client that is denied, is told so by a close.
pub(super) fn switch(
    mounted: Arc<Mounted>,
    request: Parts,
    upgrade: Upgrade,
    upgraded: OnUpgrade,
    peer: Peer,
) -> Response<Bytes> {
    let query = request.uri.query().unwrap_or_default();
    if let Err(refusal) = Request::parse(RequestKind::WebSocket, query, &mounted.engine) {
        return refuse(&refusal);
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = upgrade.response_headers(None);
    tokio::spawn(async move {
        let address = peer.address;
        if let Err(error) = hand_over(&mounted, request, upgrade, upgraded, peer).await {
            tracing::debug!(%error, peer = %address, "upgrade failed");
        }
    });
    response
}

fn refuse(refusal: &Refusal) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(refusal.body()));
    *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Refusal::MEDIA_TYPE));
    response
}

async fn hand_over(
    mounted: &Mounted,
    request: Parts,
    upgrade: Upgrade,
    upgraded: OnUpgrade,
    mut peer: Peer,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (socket, rest) = socket(upgraded.await?)?;
    if peer.address.port() == 0 {
        // A bridged one has no address.
        peer.address = socket.peer_addr().unwrap_or(peer.address);
    }
    peer.local = socket.local_addr().unwrap_or(peer.local);
    let worker = mounted.worker(&request.uri);
    mounted.workers.adopt(worker, Adopted { socket, peer, request, upgrade, rest });
    Ok(())
}

/// The socket of a connection, and what has been read from it already.
fn socket(upgraded: Upgraded) -> io::Result<(TcpStream, Bytes)> {
    // By hyper-util's server that takes HTTP/1 and 2, as axum does it, or by hyper's own.
    let upgraded = match auto::upgrade::downcast::<TokioIo<tokio::net::TcpStream>>(upgraded) {
        Ok(parts) => return Ok((parts.io.into_inner().into_std()?, parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<tokio::net::TcpStream>>() {
        Ok(parts) => return Ok((parts.io.into_inner().into_std()?, parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    Ok((bridge::bridge(upgraded)?, Bytes::new()))
}
