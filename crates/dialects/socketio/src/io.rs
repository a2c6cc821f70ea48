use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use antiphon_access::Caller;
use antiphon_engineio::{self as engineio, Transport};
use antiphon_net::Workers;
use antiphon_node::Node;
use parking_lot::RwLock;
use tokio::sync::oneshot;

use crate::connect::{Authenticator, Candidate, Handshake};
use crate::emit::Broadcasts;
use crate::handler::Behaviour;
use crate::namespace::Origin;
use crate::observer::Observer;
use crate::recovery::Recovery;
use crate::{DecodeError, Namespace, NamespaceName, Outcome, SocketIoSettings, home, server_side};

/// A Socket.IO server: its namespaces, and what is common to them. Cheap to clone, and used from any thread.
///
/// Namespaces and handlers can be added before it is installed in a server, and after. It lives as long as the process:
/// its namespaces hold it, as it holds them.
#[derive(Clone)]
pub struct Io(Arc<Inner>);

struct Inner {
    settings: SocketIoSettings,
    wiring: OnceLock<Wiring>,
    namespaces: RwLock<HashMap<NamespaceName, Entry>>,
    parents: RwLock<Vec<Parent>>,
    hooks: RwLock<Hooks>,
    recovery: Option<Recovery>,
    broadcasts: Broadcasts,
    observer: OnceLock<Arc<dyn Observer>>,
    connections: AtomicUsize,
    polling: AtomicUsize,
}

/// What the server is installed in.
struct Wiring {
    node: Arc<Node>,
    workers: Workers,
    server: Arc<Caller>,
}

struct Entry {
    namespace: Namespace,
    /// Sockets in it or on their way in: of a dynamic one, which goes when they have gone.
    occupants: usize,
}

/// Namespaces that are made when clients ask for them.
#[derive(Clone)]
struct Parent {
    namespace: Namespace,
    matches: Matcher,
}

type Matcher = Arc<dyn Fn(&Candidate<'_>) -> Outcome<bool> + Send + Sync>;

#[derive(Clone, Default)]
struct Hooks {
    authenticator: Option<Arc<dyn Authenticator>>,
    admission: Option<Admission>,
    new_namespace: Vec<NamespaceHook>,
}

/// Is told of a namespace that was made.
pub type NamespaceHook = Arc<dyn Fn(&Namespace) + Send + Sync>;

/// Lets a client open a connection, or refuses it.
pub type Admission =
    Arc<dyn Fn(&Arc<engineio::Handshake>) -> Outcome<Result<(), engineio::Denied>> + Send + Sync>;

/// What is asked for is no name of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no namespace can have this name: {0}")]
pub struct InvalidNamespace(#[from] DecodeError);

impl Io {
    /// A server with the namespace `/`.
    pub fn new(settings: SocketIoSettings) -> Io {
        let recovery = settings.connection_state_recovery.clone().map(Recovery::new);
        let io = Io(Arc::new(Inner {
            settings,
            wiring: OnceLock::new(),
            namespaces: RwLock::default(),
            parents: RwLock::default(),
            hooks: RwLock::default(),
            recovery,
            broadcasts: Broadcasts::default(),
            observer: OnceLock::new(),
            connections: AtomicUsize::new(0),
            polling: AtomicUsize::new(0),
        }));
        io.make(NamespaceName::root());
        io
    }

    /// Its settings.
    pub fn settings(&self) -> &SocketIoSettings {
        &self.0.settings
    }

    /// Installs it in a node, as the server of the node's first org.
    ///
    /// # Panics
    /// The node has no org.
    pub fn install(&self, node: Arc<Node>, workers: Workers) {
        let org = node.orgs().next().expect("a node has an org").hub.id().clone();
        let server = Caller::server(org, Arc::default());
        self.install_as(node, workers, Arc::new(server));
    }

    /// Installs it in a node. `server` is who publishes for the application, and who sockets are unless an authenticator
    /// says otherwise. The first call counts.
    pub fn install_as(&self, node: Arc<Node>, workers: Workers, server: Arc<Caller>) {
        if self.0.wiring.set(Wiring { node, workers, server }).is_ok() {
            server_side::note_installed(self);
        }
    }

    /// Whether it has been installed.
    pub fn is_installed(&self) -> bool {
        self.0.wiring.get().is_some()
    }

    /// The node that it is installed in.
    ///
    /// # Panics
    /// It has not been installed.
    pub fn node(&self) -> &Arc<Node> {
        &self.wiring().node
    }

    /// The workers that its sockets live on.
    ///
    /// # Panics
    /// It has not been installed.
    pub fn workers(&self) -> &Workers {
        &self.wiring().workers
    }

    /// Who publishes for the application.
    ///
    /// # Panics
    /// It has not been installed.
    pub fn server(&self) -> &Arc<Caller> {
        &self.wiring().server
    }

    fn wiring(&self) -> &Wiring {
        self.0.wiring.get().expect("the server is installed before anything is sent or received")
    }

    /// The namespace of a name, which is made if need be. A `/` at its beginning may be left out.
    ///
    /// # Errors
    /// The name has a comma in it.
    pub fn of(&self, name: &str) -> Result<Namespace, InvalidNamespace> {
        let name = match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("/{name}"),
        };
        Ok(self.make(NamespaceName::new(name)?))
    }

    fn make(&self, name: NamespaceName) -> Namespace {
        let namespace = {
            let mut namespaces = self.0.namespaces.write();
            if let Some(entry) = namespaces.get(&name) {
                return entry.namespace.clone();
            }
            let namespace = Namespace::new(self.clone(), name.clone(), Origin::Static, Arc::default());
            namespaces.insert(name, Entry { namespace: namespace.clone(), occupants: 0 });
            namespace
        };
        self.announce(&namespace);
        namespace
    }

    /// The namespace `/`.
    pub fn root(&self) -> Namespace {
        self.make(NamespaceName::root())
    }

    /// The namespace of a name, if there is one.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        let name = NamespaceName::new(name.to_owned()).ok()?;
        self.0.namespaces.read().get(&name).map(|entry| entry.namespace.clone())
    }

    /// The namespaces that there are, dynamic ones included.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces.read().values().map(|entry| entry.namespace.clone()).collect()
    }

    /// A namespace that stands for all those that `matches` takes when a client asks for them: they share its handlers and
    /// middlewares. It has no sockets of its own. The first of several that takes a name counts.
    pub fn of_matching(
        &self,
        matches: impl Fn(&Candidate<'_>) -> Outcome<bool> + Send + Sync + 'static,
    ) -> Namespace {
        let mut parents = self.0.parents.write();
        let name = NamespaceName::new(format!("/_{}", parents.len())).expect("a number makes a name");
        let namespace = Namespace::new(self.clone(), name, Origin::Parent, Arc::<Behaviour>::default());
        parents.push(Parent { namespace: namespace.clone(), matches: Arc::new(matches) });
        namespace
    }

    /// Has sockets authenticated, in place of who did so before. Without one every socket is the server itself.
    pub fn set_authenticator(&self, authenticator: Arc<dyn Authenticator>) {
        self.0.hooks.write().authenticator = Some(authenticator);
    }

    /// Has connections admitted before they open, in place of who did so before.
    pub fn allow_request(&self, admission: Admission) {
        self.0.hooks.write().admission = Some(admission);
    }

    /// Adds who is told of each namespace that is made.
    pub fn on_new_namespace(&self, told: NamespaceHook) {
        self.0.hooks.write().new_namespace.push(told);
    }

    /// How many clients are connected, whatever namespaces they are in.
    pub fn client_count(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// How many of them are reached by polling.
    pub fn polling_client_count(&self) -> usize {
        self.0.polling.load(Ordering::Relaxed)
    }

    /// Ends every socket and connection, with the reason "server shutting down". Clients come back by themselves.
    pub async fn close(&self) {
        let Some(wiring) = self.0.wiring.get() else { return };
        server_side::note_closed(self);
        let mut done = Vec::new();
        for worker in wiring.workers.ids() {
            let (sender, receiver) = oneshot::channel();
            let io = self.clone();
            wiring.workers.run(worker, move |_| {
                for connection in home::all() {
                    if *connection.io() == io {
                        connection.shut_down();
                    }
                }
                let _ = sender.send(());
            });
            done.push(receiver);
        }
        for receiver in done {
            // A worker that is gone has no sockets.
            let _ = receiver.await;
        }
    }

    pub(crate) fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        self.0.hooks.read().authenticator.clone()
    }

    pub(crate) fn admission(&self) -> Option<Admission> {
        self.0.hooks.read().admission.clone()
    }

    /// Events that every receiver is to acknowledge.
    pub(crate) fn broadcasts(&self) -> &Broadcasts {
        &self.0.broadcasts
    }

    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        self.0.recovery.as_ref()
    }

    /// Who sees what happens below events. The first that is set counts.
    pub(crate) fn set_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.0.observer.set(observer);
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.0.observer.get()
    }

    /// Counts a connection, until [`Io::count_out`].
    pub(crate) fn count_in(&self, transport: Transport) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        if transport == Transport::Polling {
            self.0.polling.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a connection that polled among those that do not.
    pub(crate) fn count_upgraded(&self) {
        self.0.polling.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, transport: Transport) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        if transport == Transport::Polling {
            self.0.polling.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The namespace that a client asks for, with a seat in it. Dynamic ones are made for it.
    pub(crate) async fn seat(&self, name: &NamespaceName, handshake: &Arc<Handshake>) -> Option<Seat> {
        if let Some(seat) = self.sit_down(name) {
            return Some(seat);
        }
        let parents = self.0.parents.read().clone();
        for parent in parents {
            let matches = (parent.matches)(&Candidate { name: name.as_str(), handshake });
            if matches.wait().await {
                return self.make_child(&parent.namespace, name);
            }
        }
        None
    }

    fn sit_down(&self, name: &NamespaceName) -> Option<Seat> {
        {
            let namespaces = self.0.namespaces.read();
            let entry = namespaces.get(name)?;
            if entry.namespace.origin() == Origin::Static {
                return Some(Seat(entry.namespace.clone()));
            }
        }
        let mut namespaces = self.0.namespaces.write();
        let entry = namespaces.get_mut(name)?;
        entry.occupants += 1;
        Some(Seat(entry.namespace.clone()))
    }

    fn make_child(&self, parent: &Namespace, name: &NamespaceName) -> Option<Seat> {
        let child = {
            let mut namespaces = self.0.namespaces.write();
            if let Some(entry) = namespaces.get_mut(name) {
                entry.occupants += 1;
                return Some(Seat(entry.namespace.clone()));
            }
            let dynamic = |entry: &&Entry| entry.namespace.origin() == Origin::Dynamic;
            if namespaces.values().filter(dynamic).count() >= self.0.settings.dynamic_namespaces_max {
                tracing::warn!(namespace = name.as_str(), "dynamic_namespaces_max is reached");
                return None;
            }
            let behaviour = Arc::clone(parent.behaviour());
            let child = Namespace::new(self.clone(), name.clone(), Origin::Dynamic, behaviour);
            namespaces.insert(name.clone(), Entry { namespace: child.clone(), occupants: 1 });
            child
        };
        self.announce(&child);
        Some(Seat(child))
    }

    fn announce(&self, namespace: &Namespace) {
        let told = self.0.hooks.read().new_namespace.clone();
        told.iter().for_each(|told| told(namespace));
    }

    fn stand_up(&self, namespace: &Namespace) {
        if namespace.origin() != Origin::Dynamic {
            return;
        }
        let mut namespaces = self.0.namespaces.write();
        let Some(entry) = namespaces.get_mut(namespace.wire_name()) else { return };
        entry.occupants -= 1;
        if entry.occupants == 0 && self.0.settings.cleanup_empty_child_namespaces {
            namespaces.remove(namespace.wire_name());
        }
    }
}

/// A place in a namespace: a dynamic one stays as long as somebody has one.
#[derive(Debug)]
pub(crate) struct Seat(Namespace);

impl Seat {
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.io().stand_up(&self.0);
    }
}

impl PartialEq for Io {
    fn eq(&self, other: &Io) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Io {}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("clients", &self.client_count()).finish_non_exhaustive()
    }
}
