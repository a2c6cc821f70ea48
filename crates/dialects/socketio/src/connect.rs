//! A client asks for a namespace: is there one, who is it, do the middlewares let it in, and what was it before.

mod handshake;

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_engineio::Sid;
use antiphon_model::{Position, RawJson};
use futures_util::FutureExt;

pub use self::handshake::Handshake;

use crate::connection::Connection;
use crate::handler::ConnectRefused;
use crate::io::Seat;
use crate::namespace::Reach;
use crate::recovery::{Claim, Earlier, Pid};
use crate::rooms::Begun;
use crate::socket::{Phase, Recovered, SocketParts};
use crate::{Body, Namespace, NamespaceName, Outcome, Packet, Socket, SocketId, Version, queue, rooms};

/// Says who a client is.
pub trait Authenticator: Send + Sync + 'static {
    /// Who it is that asks for `namespace`, or that it may not have it.
    fn authenticate(
        &self,
        handshake: &Arc<Handshake>,
        namespace: &Namespace,
    ) -> Outcome<Result<Arc<Caller>, ConnectRefused>>;
}

/// A namespace that a client asks for and that is not there.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name, with the `/` that it begins with.
    pub name: &'a str,
    /// What the client says.
    pub handshake: &'a Arc<Handshake>,
}

/// Lets a client into a namespace, or tells it why not. What a middleware takes its time for goes on as a task.
pub(crate) fn begin(connection: &Rc<Connection>, name: NamespaceName, auth: Option<RawJson>) {
    connection.note_connecting(name.clone());
    let attempt = Attempt { connection: Rc::clone(connection), name };
    if let Outcome::Pending(rest) = Outcome::pending(attempt.run(auth)).poll_once() {
        tokio::task::spawn_local(rest);
    }
}

/// The auth of version 4: the query in the namespace as an object.
pub(crate) fn auth_of_query(query: &str) -> RawJson {
    let members = handshake::parameters(query).map(|(name, value)| (name, value.into()));
    let object: serde_json::Map<String, serde_json::Value> = members.collect();
    RawJson::from_serializer(serde_json::Value::Object(object).to_string())
}

/// One client on its way into one namespace.
struct Attempt {
    connection: Rc<Connection>,
    name: NamespaceName,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.connection.note_not_connecting(&self.name);
    }
}

/// Why a client is not let in.
enum NotConnected {
    Refused(ConnectRefused),
    /// It went away meanwhile.
    Gone,
}

impl From<ConnectRefused> for NotConnected {
    fn from(refused: ConnectRefused) -> NotConnected {
        NotConnected::Refused(refused)
    }
}

/// Tells a client that it may not have a namespace, as its version has it.
pub(crate) fn refuse(connection: &Connection, name: NamespaceName, refused: &ConnectRefused) {
    let packet = Packet::refusal(name, connection.version(), &refused.message, refused.data.as_ref());
    connection.send_packet(&packet, &[]);
}

impl Attempt {
    async fn run(self, auth: Option<RawJson>) {
        // What an application panics in must not take the worker with it.
        let connected = AssertUnwindSafe(self.connect(auth)).catch_unwind().await;
        let internal = |_| Err(ConnectRefused::new("Internal server error").into());
        match connected.unwrap_or_else(internal) {
            Ok(socket) => {
                let connection = Rc::clone(&self.connection);
                // Not on its way any more, before its handlers run.
                drop(self);
                if socket.is_connected() {
                    queue::handle_connected(&socket, &connection);
                }
            }
            Err(NotConnected::Refused(refused)) => refuse(&self.connection, self.name.clone(), &refused),
            Err(NotConnected::Gone) => {}
        }
    }

    async fn connect(&self, auth: Option<RawJson>) -> Result<Socket, NotConnected> {
        let connection = &self.connection;
        let handshake = Arc::new(Handshake::new(Arc::clone(connection.link().handshake()), auth));
        let seat = connection.io().seat(&self.name, &handshake).await;
        let seat = seat.ok_or_else(|| ConnectRefused::new("Invalid namespace"))?;
        let caller = self.authenticate(&handshake, seat.namespace()).await?;
        let applicant = Applicant { handshake, namespace: seat.namespace().clone(), caller };
        if let Some((earlier, offset)) = self.earlier(&applicant).await {
            self.check_open()?;
            if let Some((socket, missed)) = self.recover(&applicant, earlier, offset).await? {
                if let Err(gone) = self.check_open() {
                    rooms::unlisten_all(&socket, connection);
                    return Err(gone);
                }
                // Before the answer, as the reference server does it: the client keeps what it gets until then.
                missed.send(connection);
                self.finish(&socket, seat, missed.begun);
                return Ok(socket);
            }
        }
        self.check_open()?;
        let socket = self.socket(&applicant, None);
        self.pass_middlewares(&socket).await?;
        if applicant.namespace.reach() != Reach::Apart {
            self.take_caller(&applicant.caller)?;
        }
        let since = connection.io().node().position(&applicant.caller);
        self.finish(&socket, seat, Begun { since, offset: None });
        rooms::enter(&socket, connection);
        Ok(socket)
    }

    /// Whatever an application takes its time for, the client may be gone when it is done.
    fn check_open(&self) -> Result<(), NotConnected> {
        if self.connection.has_ended() { Err(NotConnected::Gone) } else { Ok(()) }
    }

    async fn authenticate(
        &self,
        handshake: &Arc<Handshake>,
        namespace: &Namespace,
    ) -> Result<Arc<Caller>, ConnectRefused> {
        let is_apart = namespace.reach() == Reach::Apart;
        match self.connection.io().authenticator().filter(|_| !is_apart) {
            Some(authenticator) => authenticator.authenticate(handshake, namespace).wait().await,
            None => Ok(Arc::clone(self.connection.io().server())),
        }
    }

    /// What the client left behind, if it says so and is who it was, and the last event that it got.
    async fn earlier(&self, applicant: &Applicant) -> Option<(Earlier, Option<Position>)> {
        let io = self.connection.io();
        let claim = Claim::of(&applicant.handshake)?;
        let earlier = io.recovery()?.take(&claim, &applicant.namespace, &applicant.caller).await?;
        // What it has got has a position that was given out.
        let newest = io.node().position(&applicant.caller);
        Some((earlier, claim.offset.map(|offset| offset.min(newest))))
    }

    /// A socket that goes on where an earlier one ended. None if what it missed is not to be had any more: then the client
    /// is a new one.
    async fn recover(
        &self,
        applicant: &Applicant,
        earlier: Earlier,
        offset: Option<Position>,
    ) -> Result<Option<(Socket, rooms::Missed)>, NotConnected> {
        let socket = self.socket(applicant, Some(&earlier));
        let recovery = self.connection.io().recovery();
        if !recovery.is_some_and(|recovery| recovery.settings().skip_middlewares) {
            self.pass_middlewares(&socket).await?;
        }
        self.take_caller(&applicant.caller)?;
        let missed = rooms::restore(&socket, &self.connection, earlier.rooms, earlier.begun, offset).await;
        Ok(missed.map(|missed| (socket, missed)))
    }

    async fn pass_middlewares(&self, socket: &Socket) -> Result<(), NotConnected> {
        for middleware in socket.namespace().behaviour().middlewares() {
            middleware(socket.clone()).wait().await?;
            self.check_open()?;
        }
        Ok(())
    }

    /// The connection is its first socket's: permissions of the later ones are theirs, limits and accounts are of the first.
    /// What it listens to is in one org for as long as it lasts.
    fn take_caller(&self, caller: &Arc<Caller>) -> Result<(), NotConnected> {
        let client = self.connection.client();
        match client.caller() {
            Some(current) if current.org != caller.org => {
                Err(ConnectRefused::new("This connection is another org's").into())
            }
            Some(current) if Arc::ptr_eq(&current, caller) || self.connection.has_caller() => Ok(()),
            _ => client
                .replace_caller(Arc::clone(caller))
                .map_err(|error| NotConnected::Refused(ConnectRefused::of(&error.into()))),
        }
    }

    fn socket(&self, applicant: &Applicant, earlier: Option<&Earlier>) -> Socket {
        let connection = &self.connection;
        let is_apart = applicant.namespace.reach() == Reach::Apart;
        let is_recovering =
            !is_apart && connection.io().recovery().is_some() && connection.version() == Version::V5;
        let socket = Socket::new(SocketParts {
            id: earlier.map_or_else(|| self.new_id(), |earlier| earlier.id.clone()),
            namespace: applicant.namespace.clone(),
            connection: connection.key(),
            version: connection.version(),
            parser: connection.parser(),
            recovered: if earlier.is_some() { Recovered::Yes } else { Recovered::No },
            handshake: Arc::clone(&applicant.handshake),
            caller: Arc::clone(&applicant.caller),
            address: connection.client().address(),
            format: connection.format(),
            pid: is_recovering.then(|| earlier.map_or_else(Pid::random, |earlier| earlier.pid.clone())),
        });
        if let Some(earlier) = earlier {
            earlier.give_to(&socket);
        }
        socket
    }

    /// Clients of version 4 know their id before they are told.
    fn new_id(&self) -> SocketId {
        let client = self.connection.link().sid().as_str();
        match self.connection.version() {
            Version::V5 => SocketId::new(random_id().as_str()),
            Version::V4 if self.name.is_root() => SocketId::new(client),
            Version::V4 => SocketId::new(&format!("{}#{client}", self.name.as_str())),
        }
    }

    /// The socket is connected, and its client told so.
    fn finish(&self, socket: &Socket, seat: Seat, begun: Begun) {
        let connection = &self.connection;
        socket.enter(Phase::Connected);
        connection.add(socket.clone(), seat);
        socket.namespace().registry().insert(socket.clone());
        if let (Some(recovery), Some(pid)) = (connection.io().recovery(), socket.pid()) {
            recovery.note_connected(pid, socket, begun);
            if socket.recovered() {
                // What it came back by has been taken.
                recovery.store_now(socket);
            }
        }
        let body = Body::Connect { query: None, payload: Some(granted(socket)) };
        connection.send_packet(&Packet { namespace: self.name.clone(), body }, &[]);
    }
}

/// Who is on its way into a namespace.
struct Applicant {
    handshake: Arc<Handshake>,
    namespace: Namespace,
    caller: Arc<Caller>,
}

/// What a client is told that it is connected with.
fn granted(socket: &Socket) -> RawJson {
    let id = socket.id();
    RawJson::from_serializer(match socket.pid() {
        Some(pid) => format!(r#"{{"sid":"{id}","pid":"{pid}"}}"#),
        None => format!(r#"{{"sid":"{id}"}}"#),
    })
}

/// 20 characters that nobody guesses.
pub(crate) fn random_id() -> Sid {
    let mut bytes = [0; Sid::RANDOM_BYTES + 2];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    let [high, low, random @ ..] = bytes;
    // No worker's number is in it: it is random as well.
    Sid::new(u16::from_be_bytes([high, low]), random)
}
