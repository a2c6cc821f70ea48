use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{HandlerError, OutgoingEvent};

use crate::handler::{disconnect_handler, event_handler, observer, packet_middleware};
use crate::namespace::Kept;
use crate::shared::Shared;
use crate::{DisconnectHandler, EventHandler, Io, Namespace, Observer, PacketMiddleware};

/// A client's connection to a namespace. Cheap to clone, and used from any thread.
///
/// Its handlers, and they alone, are added here; what it can do beside that, like [`emit`](core::Socket::emit),
/// [`to`](core::Socket::to) and [`join`](core::Socket::join), are methods of the [core's](core::Socket). Nothing happens to
/// a socket that is disconnected.
///
/// ```no_run
/// # use antiphon::{Data, DisconnectReason, Io, Socket};
/// # let io = Io::new();
/// io.on_connection(|socket: Socket| {
///     socket.on("send_message", |socket: Socket, Data(text): Data<String>| {
///         socket.namespace().emit("receive_message", &text)
///     });
///     socket.on_disconnect(|socket: Socket, reason: DisconnectReason| {
///         println!("{} is gone: {reason}", socket.id());
///     });
/// });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Socket {
    core: core::Socket,
    shared: Kept,
}

impl Socket {
    pub(crate) fn new(core: core::Socket, shared: Arc<Shared>) -> Socket {
        Socket { core, shared: Kept(shared) }
    }

    /// The namespace that it is connected to.
    pub fn namespace(&self) -> Namespace {
        Namespace::new(self.core.namespace().clone(), Arc::clone(&self.shared.0))
    }

    /// The server that it is part of.
    pub fn io(&self) -> Io {
        Io::of_core(self.core.io().clone(), Arc::clone(&self.shared.0))
    }

    /// What was given to [`Builder::state`](crate::Builder::state), if anything of this type was.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.shared.0.state()
    }

    /// Adds a handler of an event, besides those of the namespace, which come first.
    ///
    /// Handlers for all sockets are cheaper to keep on the namespace: see [`Namespace::on`].
    pub fn on<M>(&self, event: &str, handler: impl EventHandler<M>) -> &Socket {
        self.core.on(event, event_handler(handler, &self.shared.0));
        self
    }

    /// Adds a handler that is called for the next such event alone.
    pub fn once<M>(&self, event: &str, handler: impl EventHandler<M>) -> &Socket {
        self.core.once(event, event_handler(handler, &self.shared.0));
        self
    }

    /// Adds who is told when it is disconnected, while its rooms can be seen still.
    pub fn on_disconnecting<M>(&self, handler: impl DisconnectHandler<M>) -> &Socket {
        self.core.on_disconnecting(disconnect_handler(handler, &self.shared.0));
        self
    }

    /// Adds who is told when it is disconnected.
    pub fn on_disconnect<M>(&self, handler: impl DisconnectHandler<M>) -> &Socket {
        self.core.on_disconnect(disconnect_handler(handler, &self.shared.0));
        self
    }

    /// Adds who sees every event that comes, before packet middlewares and handlers.
    pub fn on_any<M>(&self, see: impl Observer<M>) -> &Socket {
        self.core.on_any(observer(see, &self.shared.0));
        self
    }

    /// Adds who sees every event that goes out.
    pub fn on_any_outgoing(&self, see: impl Fn(&OutgoingEvent<'_>) + Send + Sync + 'static) -> &Socket {
        self.core.on_any_outgoing(Arc::new(move |_, event| see(event)));
        self
    }

    /// Adds a middleware that each event passes before its handlers.
    pub fn use_<M>(&self, pass: impl PacketMiddleware<M>) -> &Socket {
        self.core.use_(packet_middleware(pass, &self.shared.0));
        self
    }

    /// Adds who is told of failures of handlers and packet middlewares.
    pub fn on_error(&self, told: impl Fn(Socket, &HandlerError) + Send + Sync + 'static) -> &Socket {
        let shared = Arc::clone(&self.shared.0);
        self.core.on_error(Arc::new(move |socket, error| {
            told(Socket::new(socket.clone(), Arc::clone(&shared)), error);
        }));
        self
    }
}

impl Deref for Socket {
    type Target = core::Socket;

    fn deref(&self) -> &core::Socket {
        &self.core
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
