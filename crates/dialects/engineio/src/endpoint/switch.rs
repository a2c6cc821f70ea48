//! The end of an upgrade: the outbox goes over from the stream to the connection.

use std::rc::Rc;

use antiphon_net::Messages;
use bytes::Bytes;

use super::entry::{Entry, Outlet, Probe};
use crate::encode::{self, Encoding};
use crate::payload::Codec;
use crate::session::SocketId;

impl Entry {
    /// The session has gone over to this WebSocket: hands it what waits, and what the session listens to. Says whether it could.
    pub(super) fn switch(self: &Rc<Self>, socket: SocketId) -> bool {
        let taken = self.with_state(|state| {
            let probe = state.probe.take_if(|probe| probe.socket == socket)?;
            Some((probe, std::mem::replace(&mut state.outlet, Outlet::WebSocket(socket))))
        });
        let Some((probe, Outlet::Polling(stream))) = taken else { return false };
        let Probe { client, binary, .. } = *probe;
        let (codec, shared) = (self.codec(), Rc::clone(self.shared()));
        let encoding = Encoding::WebSocket(codec.revision, binary);
        self.set_encoding(encoding);
        let over = client.take_over(
            *stream,
            |waiting, messages| requeue(&codec, encoding, &waiting, messages),
            move |format| shared.application.format(format, encoding),
        );
        match over {
            Ok(_) => true,
            Err(stream) => {
                // The connection is about to be closed; the stream ends with it.
                drop(stream);
                self.with_state(|state| state.session.handle_socket_lost(socket));
                false
            }
        }
    }
}

/// Writes what waited for polls as messages of a WebSocket.
fn requeue(codec: &Codec, encoding: Encoding, waiting: &[Bytes], messages: &mut Messages<'_>) {
    for piece in waiting {
        let packets = match encode::packets(codec, piece) {
            Ok(packets) => packets,
            Err(error) => {
                tracing::error!(%error, "what waited for a poll cannot be read");
                continue;
            }
        };
        let mut message = Vec::new();
        for packet in packets {
            message.clear();
            let kind = encode::packet_into(encoding, &packet, &mut message);
            messages.bytes(kind, &message);
        }
    }
}
