//! How sessions begin.

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_net::problem::Problem;
use antiphon_net::{Client, Peer, StreamOptions, Worker};
use antiphon_node::{Begins, TooManySessions};
use bytes::Bytes;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{Response, StatusCode};

use super::answer::{self, Form};
use super::engine::{Engine, Shared};
use super::entry::{Beginning, Entry, Outlet};
use super::slots::Slots;
use super::{Denied, Handshake, polling};
use crate::handshake::{Refusal, Sid, Transport};
use crate::packet::{BinarySupport, Revision};
use crate::payload::{Codec, V3Text};
use crate::session::{OpenOn, Session, SocketId};

/// A session that was let in, on its way to its connection.
pub(super) struct Admitted {
    pub(super) shared: Rc<Shared>,
    pub(super) handshake: Arc<Handshake>,
    pub(super) binary: BinarySupport,
}

impl Engine {
    /// Begins a session by polling, and answers its first request.
    pub(super) async fn open_polling(
        &self,
        request: &Parts,
        revision: Revision,
        binary: BinarySupport,
        form: Form,
        peer: Peer,
        worker: &Worker,
    ) -> Response<Bytes> {
        // What a script carries is text.
        let binary = if form.jsonp.is_some() { BinarySupport::Base64 } else { binary };
        let handshake = match self.handshake(revision, Transport::Polling, request, &peer, worker) {
            Ok(handshake) => handshake,
            Err(refusal) => return answer::refused(&refusal),
        };
        let caller = match self.shared.application.admit(&handshake, worker).await {
            Ok(caller) => caller,
            Err(denied) => return answer::refused(&denied.refusal()),
        };
        if worker.is_draining() {
            let stopping = Denied::new("the server is stopping").with_status(StatusCode::SERVICE_UNAVAILABLE);
            return answer::refused(&stopping.refusal());
        }
        let begins = Begins::Anew;
        let options =
            StreamOptions { protocol: "polling", begins, heartbeat: None, farewell: |_| Bytes::new() };
        let stream = match worker.open_stream(caller, options) {
            Ok(stream) => stream,
            Err(full) => return answer::refused(&too_many(full).refusal()),
        };
        let admitted =
            Admitted { shared: Rc::clone(&self.shared), handshake: Arc::clone(&handshake), binary };
        let client = Client::clone(&stream);
        let mut slots = Slots::default();
        let first = slots.begin();
        let entry = admitted.begin(client, slots, Outlet::Polling(Box::new(stream)), OpenOn::Poll(first));
        let mut response = polling::answered(entry, first, form).await;
        let cookie = self.shared.settings.cookie.as_ref();
        if let Some(cookie) = cookie.and_then(|cookie| cookie.header(&handshake.sid)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Puts down what a session begins with, under an id that nobody can guess.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub(super) fn handshake(
        &self,
        revision: Revision,
        transport: Transport,
        request: &Parts,
        peer: &Peer,
        worker: &Worker,
    ) -> Result<Arc<Handshake>, Refusal> {
        let mut random = [0; Sid::RANDOM_BYTES];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(%error, "no randomness for a session's id");
            let denied = Denied::new("no randomness").with_status(StatusCode::SERVICE_UNAVAILABLE);
            return Err(denied.refusal());
        }
        let sid = Sid::new(worker.id().0, random);
        let issued = worker.now().wall;
        Ok(Arc::new(Handshake::new(sid, revision, transport, request, peer, issued)))
    }
}

impl Admitted {
    /// Begins the session on a WebSocket.
    pub(super) fn begin_websocket(self, client: &Client, socket: SocketId) -> Rc<Entry> {
        self.begin(client.clone(), Slots::default(), Outlet::WebSocket(socket), OpenOn::Socket(socket))
    }

    fn begin(self, client: Client, slots: Slots, outlet: Outlet, on: OpenOn) -> Rc<Entry> {
        let Admitted { shared, handshake, binary } = self;
        let engine = shared.application.session_settings(&handshake, &shared.settings.engine);
        let codec = Codec {
            revision: handshake.revision,
            binary,
            v3_framing: shared.application.v3_framing(&handshake),
            v3_text: V3Text::Unknown,
        };
        let now = client.now().monotonic;
        let session = Session::open(&handshake.sid, codec, on, engine, now);
        Entry::open(shared, Beginning { handshake, client, session, slots, outlet })
    }
}

/// What somebody is told who would be one too many.
fn too_many(full: TooManySessions) -> Denied {
    let problem = Problem::from(full);
    let denied = Denied::new(full.to_string()).with_status(problem.status());
    Denied { retry_after: problem.retry_after(), ..denied }
}

/// Who a session is, or why it may not begin.
pub(super) type Admission = Result<Option<Arc<Caller>>, Denied>;
