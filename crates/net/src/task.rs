use std::fmt;
use std::sync::Arc;

use antiphon_model::{ChannelId, Compress};
use bytes::Bytes;

use crate::attach::Attach;
use crate::client::ClientAddress;
use crate::websocket::MessageKind;
use crate::{Close, Worker};

/// Something that a worker does between two publications.
pub(crate) enum Task {
    /// Code of the dialects'. Never within other code of theirs.
    Run(Box<dyn FnOnce(&Worker) + Send>),
    /// A client begins to listen: another thread says so.
    Attach(Attach),
    /// A client listens to a channel no more.
    Unlisten(ClientAddress, Arc<ChannelId>),
    /// As [`Task::Unlisten`], if the client has not begun again meanwhile.
    EndListening(ClientAddress, Arc<ChannelId>),
    /// A client is sent something.
    Send(ClientAddress, Waiting),
    /// A client is closed.
    Close(ClientAddress, Close),
}

/// A message that waits for its turn.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// As the dialect wrote it.
    Message(MessageKind, Bytes, Compress),
    /// As the connection or stream takes it.
    Raw(Bytes),
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Run(_) => "Run",
            Task::Attach(_) => "Attach",
            Task::Unlisten(..) => "Unlisten",
            Task::EndListening(..) => "EndListening",
            Task::Send(..) => "Send",
            Task::Close(..) => "Close",
        })
    }
}
