use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Access, Caller, HostPolicy};
use antiphon_http::{HttpDialect, HttpParts};
use antiphon_model::OrgId;
use antiphon_net::{Listen, Mounts, Server, ServerParts, Worker};
use antiphon_node::{Node, NodeParts, OrgParts, StoreError, SystemClock};
use antiphon_store::{MemoryStore, SqliteStore, Store};

use super::StartError;
use crate::Io;
use crate::pages::Beside;
use crate::plan::{Plan, StoreChoice};

impl Io {
    /// Starts the workers. Without addresses and listeners they get their connections from somebody else's server.
    pub(super) fn start(
        &self,
        listeners: Vec<TcpListener>,
        listen: Vec<SocketAddr>,
    ) -> Result<Server, StartError> {
        let plan = &self.shared().plan;
        let own = listeners.iter().filter_map(|listener| listener.local_addr().ok());
        let all: Vec<SocketAddr> = listen.iter().copied().chain(own).collect();
        let invalid = |error: &dyn std::fmt::Display| StartError::Settings(error.to_string());
        self.settings().check().map_err(|error| invalid(&error))?;
        native(plan, &all).map_err(|error| invalid(&error))?;
        let org = plan.org();
        let id = OrgId::new(&org.name);
        let access = Access::load(vec![org]).map_err(|error| invalid(&error))?;
        let orgs = vec![OrgParts { id: id.clone(), rules: plan.rules(self.settings()) }];
        let tls = &plan.tls;
        let listen = listen.into_iter().map(|address| Listen { address, tls: tls.clone() }).collect();
        let listeners = listeners.into_iter().map(|listener| (listener, tls.clone())).collect();
        let parts = ServerParts { settings: plan.net.clone(), listen, workers: workers(plan) };
        let server = Arc::new(Caller::server(id, Arc::new(plan.limits())));
        let core = self.core().clone();
        let node = |inputs: antiphon_net::NodeInputs| {
            let workers = inputs.workers.clone();
            let parts = NodeParts {
                settings: plan.node.clone(),
                access,
                store: open_store(plan)?,
                orgs,
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
            core.install_as(Arc::clone(&node), workers, server);
            Ok(node)
        };
        let io = self.clone();
        let endpoint = move |worker: &Worker| {
            let plan = &io.shared().plan;
            let engine = io.core().endpoint(worker);
            // Requests that come by a program's own server find it so.
            worker.set_extension(Rc::new(engine.clone()));
            let native = native(plan, &all).expect("the settings have been checked");
            let mut mounts = Mounts::new(Beside::new(Arc::clone(&plan.pages), native))
                .mount(io.settings().engine.path.clone(), engine);
            for engine in &plan.engines {
                mounts = mounts.mount(engine.path.clone(), (engine.make)(worker));
            }
            mounts
        };
        Ok(Server::start_on(listeners, parts, node, endpoint)?)
    }
}

fn workers(plan: &Plan) -> usize {
    let workers = plan.workers.or_else(|| std::thread::available_parallelism().ok());
    workers.map_or(1, std::num::NonZeroUsize::get)
}

fn open_store(plan: &Plan) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &plan.store {
        StoreChoice::Memory => Arc::new(MemoryStore::new(&plan.store_settings)?),
        StoreChoice::Sqlite(directory) => Arc::new(SqliteStore::open(directory, &plan.store_settings)?),
    })
}

/// The native dialect of a worker, if there is to be one.
fn native(
    plan: &Plan,
    listen: &[SocketAddr],
) -> Result<Option<HttpDialect>, antiphon_http::InvalidHttpSettings> {
    let Some(native) = &plan.native else { return Ok(None) };
    // An open org on loopback is guarded by not being reached from elsewhere: other names lead there by a trick.
    let local = listen.iter().all(|address| address.ip().is_loopback());
    let hosts = if native.org.open && local { HostPolicy::local(listen) } else { HostPolicy::Any };
    let parts = HttpParts { hosts, assets: Vec::new(), extra: Vec::new() };
    HttpDialect::new(native.http.clone(), parts).map(Some)
}
