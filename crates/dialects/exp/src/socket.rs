//! The socket of EXP clients: an application of Engine.IO beside another, from which it takes the handshakes with a session token.
//!
//! A client is connected without asking, says in `subscribe` what it listens to, gets in `subscribed` what it may, and from then on
//! each publication there as a `broadcast`. What it broadcasts and responds comes by HTTP. Nothing is ever said to a client that
//! its SDK would go deaf by: no `41`, and no `44`. Who is not to have a socket is refused at the handshake, or his transport closed.

mod admit;
mod listener;
mod spellings;
pub(crate) mod subscribe;
mod talk;

use std::cell::OnceCell;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Caller, is_session_token};
use antiphon_engineio::{
    Application, CloseMode, Conversation, Data, Denied, Encoding, EngineSettings, Handshake, Link, Revision,
    V3Framing,
};
use antiphon_net::{Format, Worker};
use futures_util::future::LocalBoxFuture;
use http::StatusCode;

use self::admit::{admit, refuse_foreign};
use self::talk::Talk;
use crate::exp::Shared;
use crate::{Exp, formats};

impl Exp {
    /// What speaks on the sockets of one worker. Handshakes that are not of EXP clients go to `other`; without one they are denied.
    pub fn application(&self, other: Option<Rc<dyn Application>>) -> Rc<dyn Application> {
        Rc::new(Sockets { shared: Arc::clone(&self.0), other, settings: OnceCell::new() })
    }
}

/// The sockets of a worker.
struct Sockets {
    shared: Arc<Shared>,
    other: Option<Rc<dyn Application>>,
    /// Those of its sessions, made from the server's when there is the first.
    settings: OnceCell<Arc<EngineSettings>>,
}

/// What the SDKs take for the time limit of a poll, too.
const PING_TIMEOUT_MS: u64 = 60_000;

/// The settings of EXP sessions where these are the server's.
fn settings(usual: &EngineSettings) -> Arc<EngineSettings> {
    Arc::new(EngineSettings { ping_timeout_ms: usual.ping_timeout_ms.max(PING_TIMEOUT_MS), ..usual.clone() })
}

/// The session token of a handshake that is an EXP client's. Clients of other revisions may have one too, and are other clients.
fn token(handshake: &Handshake) -> Option<String> {
    if handshake.revision != Revision::V3 {
        return None;
    }
    let token = handshake.parameter("token")?;
    is_session_token(&token).then(|| token.into_owned())
}

/// What others are told where Socket.IO is not served.
fn nothing_else() -> Denied {
    let why = "there are sockets of the EXP network alone here, which need a session token: log in by POST /api/auth/login";
    Denied::new(why).with_status(StatusCode::NOT_FOUND)
}

impl Application for Sockets {
    fn admit(
        &self,
        handshake: &Arc<Handshake>,
        worker: &Worker,
    ) -> LocalBoxFuture<'static, Result<Option<Arc<Caller>>, Denied>> {
        let admitted = match (token(handshake), &self.other) {
            (Some(token), _) => admit(&self.shared, handshake, &token, worker).map(|session| session.caller),
            (None, Some(other)) => match refuse_foreign(handshake, worker) {
                Ok(()) => return other.admit(handshake, worker),
                Err(denied) => Err(denied),
            },
            (None, None) => Err(nothing_else()),
        };
        Box::pin(ready(admitted))
    }

    fn open(&self, link: &Link) -> Box<dyn Conversation> {
        match (token(link.handshake()), &self.other) {
            (Some(token), _) => self.begin(link, &token),
            (None, Some(other)) => other.open(link),
            // It has not been admitted.
            (None, None) => end(link),
        }
    }

    fn session_settings(&self, handshake: &Handshake, usual: &Arc<EngineSettings>) -> Arc<EngineSettings> {
        match (token(handshake), &self.other) {
            (None, Some(other)) => other.session_settings(handshake, usual),
            _ => Arc::clone(self.settings.get_or_init(|| settings(usual))),
        }
    }

    fn v3_framing(&self, handshake: &Handshake) -> V3Framing {
        match (token(handshake), &self.other) {
            // The Python SDK reads nothing else.
            (Some(_), _) | (None, None) => V3Framing::Always,
            (None, Some(other)) => other.v3_framing(handshake),
        }
    }

    fn format(&self, format: &'static Format, to: Encoding) -> &'static Format {
        match (formats::translate(format, to), &self.other) {
            (Some(translated), _) => translated,
            (None, Some(other)) => other.format(format, to),
            (None, None) => format,
        }
    }
}

impl Sockets {
    fn begin(&self, link: &Link, token: &str) -> Box<dyn Conversation> {
        // Asked once more: the credential may have ended since the socket was admitted.
        let worker = link.worker();
        match worker.node().access().session(token, worker.now().wall) {
            Ok(session) => {
                let session = session.coming_from(link.handshake().peer.network);
                Box::new(Talk::begin(Arc::clone(&self.shared), link, session))
            }
            Err(_) => end(link),
        }
    }
}

/// Ends a session that has just begun.
fn end(link: &Link) -> Box<dyn Conversation> {
    link.close(CloseMode::Discard);
    Box::new(Silence)
}

/// Says nothing.
struct Silence;

impl Conversation for Silence {
    fn handle_message(&mut self, _data: Data, _link: &Link) {}
}
