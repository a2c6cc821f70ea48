use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::WorkerId;
use antiphon_model::Compress;
use antiphon_net::{Client, MessageKind, Worker};

use super::Handshake;
use super::entry::Entry;
use super::table::Table;
use crate::encode::{self, Encoding};
use crate::handshake::{Sid, Transport};
use crate::packet::{Data, Revision};
use crate::session::CloseMode;

/// A session on its worker: what an application does to send and close.
///
/// Cheap to clone, never leaves its thread; for other threads there is [`Link::address`]. Harmless once the session has ended:
/// nothing happens then.
#[derive(Clone)]
pub struct Link(pub(super) Rc<Entry>);

/// Where a session is, for any thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkAddress {
    /// The worker that it lives on.
    pub worker: WorkerId,
    /// Its id.
    pub sid: Sid,
}

impl LinkAddress {
    /// The session, if it is still there. `worker` is the one that runs here, and has to be its own.
    pub fn link(&self, worker: &Worker) -> Option<Link> {
        worker.extension::<Table>()?.find(&self.sid).map(Link)
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Whether it is dropped if the client cannot take it at once.
    pub volatile: bool,
    /// Whether it may be compressed.
    pub compress: Compress,
}

/// What has become of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It will be written in its turn.
    Queued,
    /// It was volatile, and the client not ready.
    Dropped,
}

/// A message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session has ended or is ending.
    #[error("the session is closed")]
    Closed,
    /// The send buffer is full; with [`crate::WhenFull::Close`] the session has ended by it.
    #[error("the send buffer is full")]
    Full,
    /// Text with U+001E, which revision 4 cannot carry by polling.
    #[error("the text has a record separator in it")]
    Separator,
    /// It was encoded for another transport than the session's.
    #[error("the message is encoded for another transport")]
    Encoding,
}

impl Link {
    /// The session's id.
    pub fn sid(&self) -> &Sid {
        &self.0.handshake().sid
    }

    /// The revision that its client speaks.
    pub fn revision(&self) -> Revision {
        self.0.handshake().revision
    }

    /// The transport that packets take; none once the session has ended.
    pub fn transport(&self) -> Option<Transport> {
        self.0.transport()
    }

    /// The request that it began with.
    pub fn handshake(&self) -> &Arc<Handshake> {
        self.0.handshake()
    }

    /// The session as `net` knows it. It stays the same through an upgrade.
    pub fn client(&self) -> Client {
        self.0.client().clone()
    }

    /// The worker that it lives on.
    pub fn worker(&self) -> &Worker {
        self.0.worker()
    }

    /// Its address.
    pub fn address(&self) -> LinkAddress {
        LinkAddress { worker: self.worker().id(), sid: *self.sid() }
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// The form that packets take at present. It changes once at most, with the upgrade.
    pub fn encoding(&self) -> Encoding {
        self.0.encoding()
    }

    /// How many bytes wait for the client.
    pub fn buffered_bytes(&self) -> usize {
        self.0.client().buffered_bytes()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// It is not sent: see [`SendError`].
    pub fn send(&self, data: Data, options: SendOptions) -> Result<Sent, SendError> {
        match &data {
            Data::Text(text) => {
                if self.encoding().separates() && text.contains('\x1e') {
                    return Err(SendError::Separator);
                }
                self.send_text(options, |out| out.extend_from_slice(text.as_bytes()))
            }
            Data::Binary(bytes) => self.send_binary(bytes, options),
        }
    }

    /// Sends a message of text, which `write` appends to what it is given. It has to be UTF-8. A U+001E in it becomes a space where
    /// it cannot be carried.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_text(
        &self,
        options: SendOptions,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Sent, SendError> {
        self.put(options, |encoding, out| {
            encode::text_into(encoding, out, write);
            MessageKind::Text
        })
    }

    /// Sends a message of bytes.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_binary(&self, bytes: &[u8], options: SendOptions) -> Result<Sent, SendError> {
        self.put(options, |encoding, out| {
            encode::binary_into(encoding, out, bytes);
            encoding.binary_kind()
        })
    }

    /// Sends several messages that stay together: nothing comes in between, and if they are volatile, all of them are dropped or
    /// none.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_all(&self, messages: &[Data], options: SendOptions) -> Result<Sent, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let encoding = self.encoding();
        let mut encoded = Vec::with_capacity(messages.len());
        for message in messages {
            let mut out = Vec::new();
            let kind = match message {
                Data::Text(text) => {
                    encode::text_into(encoding, &mut out, |out| out.extend_from_slice(text.as_bytes()));
                    MessageKind::Text
                }
                Data::Binary(bytes) => {
                    encode::binary_into(encoding, &mut out, bytes);
                    encoding.binary_kind()
                }
            };
            encoded.push((kind, out));
        }
        let encoded: Vec<_> = encoded.iter().map(|(kind, out)| (*kind, &**out)).collect();
        self.0.put_all(&encoded, options)
    }

    /// Sends a message that was encoded before, by [`encode`]: for several links at once, or one and the same again.
    ///
    /// # Errors
    /// See [`SendError`]; `encoding` has to be the link's own.
    pub fn send_encoded(
        &self,
        encoding: Encoding,
        kind: MessageKind,
        bytes: &[u8],
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        if encoding != self.encoding() {
            return Err(SendError::Encoding);
        }
        self.0.put(kind, bytes, options)
    }

    fn put(
        &self,
        options: SendOptions,
        write: impl FnOnce(Encoding, &mut Vec<u8>) -> MessageKind,
    ) -> Result<Sent, SendError> {
        if !self.is_open() {
            // If it was closed from below, the application hears of it.
            self.0.end_if_over();
            return Err(SendError::Closed);
        }
        self.0.table().with_scratch(|out| {
            let kind = write(self.encoding(), out);
            self.0.put(kind, out, options)
        })
    }

    /// Ends the session.
    pub fn close(&self, mode: CloseMode) {
        self.0.close(mode);
    }
}
