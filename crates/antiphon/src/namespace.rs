use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{HandlerError, Outcome, OutgoingEvent, ServerSideEvent};

use crate::handler::{
    connection_handler, disconnect_handler, event_handler, middleware, observer, packet_middleware,
};
use crate::shared::Shared;
use crate::{
    ConnectionHandler, DisconnectHandler, EventHandler, IntoResult, Io, Middleware, Observer,
    PacketMiddleware, Socket,
};

/// A namespace: its handlers, and the sockets that are connected to it. Cheap to clone, and used from any thread.
///
/// Handlers that are added while sockets are connected apply to them as well. What it can do beside handlers, like
/// [`emit`](core::Namespace::emit) and [`to`](core::Namespace::to), are methods of the [core's](core::Namespace).
///
/// ```no_run
/// # use antiphon::{Ack, Auth, ConnectRefused, Data, Io, Socket};
/// # use serde::Deserialize;
/// # let io = Io::new();
/// #[derive(Deserialize)]
/// struct Login {
///     token: String,
/// }
///
/// let chat = io.of("/chat");
/// chat.use_(|Auth(login): Auth<Login>| match login.token.as_str() {
///     "secret" => Ok(()),
///     _ => Err("not authorized"),
/// });
/// chat.on_connection(|socket: Socket| println!("{} is here", socket.id()));
/// chat.on("say", |socket: Socket, Data(text): Data<String>| socket.broadcast().emit("said", &text));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Namespace {
    core: core::Namespace,
    shared: Kept,
}

/// What the program shares, which does not tell one handle from another.
#[derive(Clone)]
pub(crate) struct Kept(pub(crate) Arc<Shared>);

impl PartialEq for Kept {
    fn eq(&self, _: &Kept) -> bool {
        true
    }
}

impl Eq for Kept {}

impl Namespace {
    pub(crate) fn new(core: core::Namespace, shared: Arc<Shared>) -> Namespace {
        Namespace { core, shared: Kept(shared) }
    }

    /// The server that it is part of.
    pub fn io(&self) -> Io {
        Io::of_core(self.core.io().clone(), Arc::clone(&self.shared.0))
    }

    /// Adds a handler of an event for all sockets.
    pub fn on<M>(&self, event: &str, handler: impl EventHandler<M>) -> &Namespace {
        self.core.on(event, event_handler(handler, &self.shared.0));
        self
    }

    /// Handles the events that have no handler of their own, in place of who did so before.
    pub fn on_fallback<M>(&self, handler: impl EventHandler<M>) -> &Namespace {
        self.core.on_fallback(event_handler(handler, &self.shared.0));
        self
    }

    /// Adds who is told of each socket that is connected. The socket's events wait until it is done.
    pub fn on_connection<M>(&self, handler: impl ConnectionHandler<M>) -> &Namespace {
        self.core.on_connection(connection_handler(handler, &self.shared.0));
        self
    }

    /// Adds who is told of each socket that is disconnected, while its rooms can be seen still.
    pub fn on_disconnecting<M>(&self, handler: impl DisconnectHandler<M>) -> &Namespace {
        self.core.on_disconnecting(disconnect_handler(handler, &self.shared.0));
        self
    }

    /// Adds who is told of each socket that is disconnected.
    pub fn on_disconnect<M>(&self, handler: impl DisconnectHandler<M>) -> &Namespace {
        self.core.on_disconnect(disconnect_handler(handler, &self.shared.0));
        self
    }

    /// Adds who sees every event that comes, before packet middlewares and handlers.
    pub fn on_any<M>(&self, see: impl Observer<M>) -> &Namespace {
        self.core.on_any(observer(see, &self.shared.0));
        self
    }

    /// Adds who sees every event that goes out to a socket.
    pub fn on_any_outgoing(
        &self,
        see: impl Fn(Socket, &OutgoingEvent<'_>) + Send + Sync + 'static,
    ) -> &Namespace {
        let shared = Arc::clone(&self.shared.0);
        self.core.on_any_outgoing(Arc::new(move |socket, event| {
            see(Socket::new(socket.clone(), Arc::clone(&shared)), event);
        }));
        self
    }

    /// Adds a middleware: who may connect. They are asked in the order in which they were added, until one refuses.
    pub fn use_<M>(&self, admit: impl Middleware<M>) -> &Namespace {
        self.core.use_(middleware(admit, &self.shared.0));
        self
    }

    /// Adds a middleware that each event of each socket passes before its handlers.
    pub fn use_packet<M>(&self, pass: impl PacketMiddleware<M>) -> &Namespace {
        self.core.use_packet(packet_middleware(pass, &self.shared.0));
        self
    }

    /// Adds who is told of failures of handlers and packet middlewares.
    pub fn on_error(&self, told: impl Fn(Socket, &HandlerError) + Send + Sync + 'static) -> &Namespace {
        let shared = Arc::clone(&self.shared.0);
        self.core.on_error(Arc::new(move |socket, error| {
            told(Socket::new(socket.clone(), Arc::clone(&shared)), error);
        }));
        self
    }

    /// Adds who is told of an event that another server of the cluster sent by
    /// [`server_side_emit`](core::Namespace::server_side_emit).
    pub fn on_server_side<R: IntoResult>(
        &self,
        event: &str,
        handler: impl Fn(ServerSideEvent) -> R + Send + Sync + 'static,
    ) -> &Namespace {
        self.core.on_server_side(event, Arc::new(move |event| Outcome::Ready(handler(event).into_result())));
        self
    }

    /// A socket of this process by its id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.core.socket(id).map(|socket| Socket::new(socket, Arc::clone(&self.shared.0)))
    }

    /// The sockets of this process that are connected.
    pub fn sockets(&self) -> Vec<Socket> {
        let sockets = self.core.sockets().into_iter();
        sockets.map(|socket| Socket::new(socket, Arc::clone(&self.shared.0))).collect()
    }
}

impl Deref for Namespace {
    type Target = core::Namespace;

    fn deref(&self) -> &core::Namespace {
        &self.core
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
