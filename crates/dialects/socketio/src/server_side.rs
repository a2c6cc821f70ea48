//! Events between servers: from one to all others that serve the same node.
//!
//! A server does not get its own. Others are those of this process that are installed in the same node, under other paths say;
//! as long as nodes are not joined to a cluster, there are no more.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use antiphon_model::Payload;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::arguments::{EventArguments, UnserializableArguments, to_payload};
use crate::emit::{Emission, EmitError, Flags};
use crate::{EventName, HandlerResult, Io, Namespace, Outcome};

/// Handles an event of another server's. Runs on a worker's thread.
pub type ServerSideHandler = Arc<dyn Fn(ServerSideEvent) -> Outcome<HandlerResult> + Send + Sync>;

/// An event of another server's.
#[derive(Debug)]
pub struct ServerSideEvent {
    /// The namespace that it was sent in.
    pub namespace: Namespace,
    /// Its name.
    pub name: EventName,
    /// What came with it.
    pub arguments: EventArguments,
    /// To answer it with, if the other server awaits that.
    pub ack: Option<ServerSideAck>,
}

/// Another server awaits an answer to its event: this gives it.
pub struct ServerSideAck(oneshot::Sender<EventArguments>);

/// Not every other server answered in time.
#[derive(Debug, thiserror::Error)]
pub enum ServerSideAckError {
    /// The event was not sent.
    #[error(transparent)]
    NotSent(#[from] EmitError),
    /// Some have not answered.
    #[error("{missing} of the other servers did not acknowledge the event in time")]
    Missing {
        /// How many.
        missing: usize,
        /// The answers that came.
        responses: Vec<EventArguments>,
    },
}

/// What a namespace does with events of other servers'.
#[derive(Default)]
pub(crate) struct ServerSide(RwLock<HashMap<Box<str>, Vec<ServerSideHandler>>>);

/// The servers of this process that are installed.
static SERVERS: Mutex<Vec<Io>> = Mutex::new(Vec::new());

/// A server is installed.
pub(crate) fn note_installed(io: &Io) {
    SERVERS.lock().push(io.clone());
}

/// A server is closed.
pub(crate) fn note_closed(io: &Io) {
    SERVERS.lock().retain(|other| other != io);
}

impl Namespace {
    /// Adds a handler of events that other servers send in the namespace of this name.
    pub fn on_server_side(&self, event: &str, handler: ServerSideHandler) {
        self.server_side().0.write().entry(event.into()).or_default().push(handler);
    }

    /// Sends an event to all other servers.
    ///
    /// # Errors
    /// The name is reserved, the arguments have no form on the wire, or the server does not run yet.
    pub fn server_side_emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        let emission = Emission::new(event, arguments, Flags::default())?;
        for other in self.others()? {
            other.deliver(&emission.name, &emission.payload, None);
        }
        Ok(())
    }

    /// Sends an event to all other servers, and collects their acknowledgements, for as long as the settings say.
    ///
    /// # Errors
    /// As [`Namespace::server_side_emit`], or not all answered in time.
    pub async fn server_side_emit_with_ack(
        &self,
        event: &str,
        arguments: impl Serialize,
    ) -> Result<Vec<EventArguments>, ServerSideAckError> {
        let emission = Emission::new(event, arguments, Flags::default())?;
        let awaited: Vec<_> = self
            .others()?
            .iter()
            .map(|other| {
                let (sender, answer) = oneshot::channel();
                other.deliver(&emission.name, &emission.payload, Some(ServerSideAck(sender)));
                answer
            })
            .collect();
        let deadline = tokio::time::Instant::now() + self.io().settings().ack_timeout();
        let (mut responses, mut missing) = (Vec::with_capacity(awaited.len()), 0);
        for answer in awaited {
            match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(response)) => responses.push(response),
                Ok(Err(_)) | Err(_) => missing += 1,
            }
        }
        if missing == 0 { Ok(responses) } else { Err(ServerSideAckError::Missing { missing, responses }) }
    }

    /// The namespace of this name in all other servers.
    fn others(&self) -> Result<Vec<Namespace>, EmitError> {
        let io = self.io();
        if !io.is_installed() {
            return Err(EmitError::NotInstalled);
        }
        let servers = SERVERS.lock().clone();
        let others = servers.into_iter().filter(|other| other != io && Arc::ptr_eq(other.node(), io.node()));
        Ok(others.filter_map(|other| other.namespace(self.name())).collect())
    }

    /// Has the handlers of this server called. To answer is the first one's; without one, nobody does.
    fn deliver(&self, name: &str, payload: &Payload, ack: Option<ServerSideAck>) {
        let handlers = self.server_side().0.read().get(name).cloned().unwrap_or_default();
        let Some(worker) = self.io().workers().ids().next().filter(|_| !handlers.is_empty()) else { return };
        let (namespace, name, payload) = (self.clone(), EventName::from(name), payload.clone());
        self.io().workers().run(worker, move |_| {
            let mut ack = ack;
            for handler in handlers {
                let (namespace, name) = (namespace.clone(), name.clone());
                let arguments = EventArguments::of_payload(&payload);
                let event = ServerSideEvent { namespace, name, arguments, ack: ack.take() };
                tokio::task::spawn_local(async move {
                    if let Err(error) = handler(event).wait().await {
                        tracing::warn!(%error, "a handler of another server's event failed");
                    }
                });
            }
        });
    }
}

impl ServerSideAck {
    /// Answers with arguments.
    ///
    /// # Errors
    /// The value has no form in JSON.
    pub fn send(self, arguments: impl Serialize) -> Result<(), UnserializableArguments> {
        let payload = to_payload(&arguments)?;
        // Who asked may have gone.
        let _ = self.0.send(EventArguments::of_payload(&payload));
        Ok(())
    }
}

impl fmt::Debug for ServerSideAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSideAck")
    }
}
