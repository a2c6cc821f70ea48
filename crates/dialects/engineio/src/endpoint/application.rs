use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Caller;
use antiphon_net::{Format, Worker};
use futures_util::future::LocalBoxFuture;
use http::StatusCode;

use super::{Handshake, Link};
use crate::encode::Encoding;
use crate::handshake::Refusal;
use crate::packet::Data;
use crate::payload::V3Framing;
use crate::session::CloseReason;
use crate::settings::EngineSettings;

/// What sessions are for. One for each worker, called on its thread only.
pub trait Application: 'static {
    /// Decides whether a session may begin, and who it is; none if that is to be found out later.
    ///
    /// It is asked before anything is kept of the session. By default everybody may.
    fn admit(
        &self,
        _handshake: &Arc<Handshake>,
        _worker: &Worker,
    ) -> LocalBoxFuture<'static, Result<Option<Arc<Caller>>, Denied>> {
        Box::pin(ready(Ok(None)))
    }

    /// A session begins: says what speaks on it. The client has been sent the open packet, and nothing else.
    fn open(&self, link: &Link) -> Box<dyn Conversation>;

    /// The settings of a session that is about to begin, given those of the server, which it has by default.
    fn session_settings(&self, _handshake: &Handshake, usual: &Arc<EngineSettings>) -> Arc<EngineSettings> {
        Arc::clone(usual)
    }

    /// When payloads of a session of revision 3 are binary. By default when they have to be.
    fn v3_framing(&self, _handshake: &Handshake) -> V3Framing {
        V3Framing::WhenNeeded
    }

    /// The format that says the same as `format` in another encoding: what a session listens to in it goes over with the session.
    ///
    /// It is also asked about formats that are in that encoding already. By default formats say the same everywhere.
    fn format(&self, format: &'static Format, _to: Encoding) -> &'static Format {
        format
    }
}

/// What speaks on one session.
///
/// Whatever it does by the link takes effect in order, also what it does while one of these runs; it is never called
/// within itself.
pub trait Conversation {
    /// The client sent a message.
    fn handle_message(&mut self, data: Data, link: &Link);

    /// The session has gone over from polling to WebSocket, and [`Link::encoding`] says another.
    fn handle_upgraded(&mut self, _link: &Link) {}

    /// The session has ended. Called once, and nothing after it.
    fn handle_closed(&mut self, _reason: CloseReason, _link: &Link) {}
}

/// A session may not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// The status of the answer.
    pub status: StatusCode,
    /// Why; the client sees it.
    pub message: Cow<'static, str>,
    /// When to try again, if that is known.
    pub retry_after: Option<Duration>,
}

impl Denied {
    /// A refusal with status 403.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Denied {
        Denied { status: StatusCode::FORBIDDEN, message: message.into(), retry_after: None }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Denied {
        Denied { status, ..self }
    }

    /// The same, and when to try again: the header `Retry-After`.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Denied {
        Denied { retry_after: Some(retry_after), ..self }
    }

    pub(super) fn refusal(self) -> Refusal {
        let refusal = Refusal::forbidden(self.message).with_status(self.status.as_u16());
        refusal.with_retry_after(self.retry_after)
    }
}

impl Default for Denied {
    fn default() -> Denied {
        Denied::new("Forbidden")
    }
}
