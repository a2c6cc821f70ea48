use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{Candidate, InvalidNamespace, Outcome};

use crate::shared::Shared;
use crate::{Builder, ConnectionHandler, Namespace};

/// A Socket.IO server. Cheap to clone, and used from any thread.
///
/// Namespaces and handlers can be added before it is started, and while it runs. What it can do beside that, like
/// [`allow_request`](core::Io::allow_request), are methods of the [core's](core::Io).
///
/// ```no_run
/// use antiphon::{Data, Io, Socket};
///
/// # fn main() -> Result<(), antiphon::StartError> {
/// let io = Io::new();
/// io.on_connection(|socket: Socket| println!("{} is here", socket.id()));
/// io.root().on("send_message", |socket: Socket, Data(message): Data<String>| {
///     socket.namespace().emit("receive_message", &message)
/// });
/// io.run("127.0.0.1:3000")
/// # }
/// ```
#[derive(Clone)]
pub struct Io {
    core: core::Io,
    shared: Arc<Shared>,
}

impl Io {
    /// A server with the default settings.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Io {
        Io::builder().build()
    }

    /// A server with settings of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn of_core(core: core::Io, shared: Arc<Shared>) -> Io {
        Io { core, shared }
    }

    pub(crate) fn core(&self) -> &core::Io {
        &self.core
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The namespace of a name, which is made if need be. A `/` at its beginning may be left out.
    ///
    /// # Panics
    /// The name has a comma in it. For names that come from elsewhere there is [`Io::try_of`].
    pub fn of(&self, name: &str) -> Namespace {
        match self.try_of(name) {
            Ok(namespace) => namespace,
            Err(error) => panic!("{name:?}: {error}"),
        }
    }

    /// As [`Io::of`].
    ///
    /// # Errors
    /// The name has a comma in it.
    pub fn try_of(&self, name: &str) -> Result<Namespace, InvalidNamespace> {
        self.core.of(name).map(|namespace| self.wrap(namespace))
    }

    /// The namespace `/`.
    pub fn root(&self) -> Namespace {
        self.wrap(self.core.root())
    }

    /// The namespace of a name, if there is one.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        self.core.namespace(name).map(|namespace| self.wrap(namespace))
    }

    /// The namespaces that there are, dynamic ones included.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.core.namespaces().into_iter().map(|namespace| self.wrap(namespace)).collect()
    }

    /// A namespace that stands for all those that `matches` takes when a client asks for them: they share its handlers and
    /// middlewares. It has no sockets of its own: which of them a socket is in, says [`Socket::namespace`](crate::Socket::namespace).
    /// The first of several that takes a name counts.
    ///
    /// ```
    /// # let io = antiphon::Io::new();
    /// let rooms = io.of_matching(|candidate| candidate.name.starts_with("/room-"));
    /// rooms.on_connection(|socket: antiphon::Socket| println!("somebody in {}", socket.namespace().name()));
    /// ```
    pub fn of_matching(&self, matches: impl Fn(&Candidate<'_>) -> bool + Send + Sync + 'static) -> Namespace {
        self.of_matching_async(move |candidate| Outcome::Ready(matches(candidate)))
    }

    /// As [`Io::of_matching`], where deciding may take its time.
    pub fn of_matching_async(
        &self,
        matches: impl Fn(&Candidate<'_>) -> Outcome<bool> + Send + Sync + 'static,
    ) -> Namespace {
        self.wrap(self.core.of_matching(matches))
    }

    /// Adds who is told of each namespace that is made.
    pub fn on_new_namespace(&self, told: impl Fn(Namespace) + Send + Sync + 'static) {
        // Not kept alive by what it leads to.
        let shared = Arc::downgrade(&self.shared);
        self.core.on_new_namespace(Arc::new(move |namespace| {
            if let Some(shared) = shared.upgrade() {
                told(Namespace::new(namespace.clone(), shared));
            }
        }));
    }

    /// Adds who is told of each socket that is connected to `/`. The socket's events wait until it is done.
    pub fn on_connection<M>(&self, handler: impl ConnectionHandler<M>) -> &Io {
        self.root().on_connection(handler);
        self
    }

    fn wrap(&self, namespace: core::Namespace) -> Namespace {
        Namespace::new(namespace, Arc::clone(&self.shared))
    }
}

impl Deref for Io {
    type Target = core::Io;

    fn deref(&self) -> &core::Io {
        &self.core
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
