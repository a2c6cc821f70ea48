//! Runs the server: puts the parts together, says where it is, and stops it in good order.

pub(crate) mod acme;
mod banner;
mod client_certificates;
mod exp;
mod files;
pub(crate) mod front;
mod gate;
mod health;
mod memory;
mod pages;
pub(crate) mod plan;
mod signals;
mod socketio;
pub(crate) mod tls;
mod worker_guard;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_http::{HttpDialect, HttpParts};
use antiphon_net::{Close, Mounts, NodeInputs, Server, ServerError, ServerParts, Worker};
use antiphon_node::{Node, NodeParts, SystemClock};
use antiphon_pubnub::PubNub;
use antiphon_store::{MemoryStore, SqliteStore, Store, StoreError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc::UnboundedReceiver;

use self::acme::Acme;
use self::exp::ExpNetwork;
use self::front::Front;
use self::health::Health;
use self::plan::Plan;
use self::signals::{Signals, Told};
use self::worker_guard::WorkerGuards;
use crate::args::ServeArgs;
use crate::config::{Settings, Sources, StoreKind};
use crate::failure::Failure;

/// What a shell reports for a program that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// Serves until it is told to stop.
///
/// # Errors
/// It cannot be started as configured, or a part of it failed.
pub(crate) fn run(args: ServeArgs, config: Option<&Path>) -> Result<(), Failure> {
    let mut settings = Sources::with_file(config).settings()?;
    args.apply(&mut settings);
    let plan = Plan::new(&settings)?;
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    raise_open_files_limit(settings.limits.connections_max);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    runtime.block_on(serve(&settings, plan))
}

impl ServeArgs {
    /// Options of the command line go before everything else.
    fn apply(self, settings: &mut Settings) {
        if !self.listen.is_empty() {
            settings.listen = self.listen;
        }
        if let Some(data_dir) = self.data_dir {
            settings.data_dir = data_dir;
        }
        if self.workers.is_some() {
            settings.workers = self.workers;
        }
        if self.memory {
            settings.store.kind = StoreKind::Memory;
        }
        settings.allow_demo |= self.allow_demo;
    }
}

async fn serve(settings: &Settings, plan: Plan) -> Result<(), Failure> {
    // Before anything can be lost by a signal that nobody handles.
    let signals =
        Signals::install().map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    let health = Arc::new(Health::default());
    let (guards, ended) = WorkerGuards::new();
    let (open, files) = (plan.open, Arc::clone(&plan.files));
    let certificates = plan.tls.as_ref().map(|tls| Arc::clone(&tls.certificates));
    if let Some(tls) = &plan.tls {
        tls.watch(settings.tls.reload_interval.0);
    }
    let acme = match &plan.tls {
        Some(tls) => Acme::new(settings, &tls.certificates, &plan.front.challenges)?,
        None => None,
    };
    let server = start(settings, plan, &health, guards)?;
    if let Some(acme) = acme {
        acme.start().map_err(|error| Failure::new(format!("tls.acme: {error}")))?;
    }
    health.watch(Arc::clone(server.node().store()));
    memory::watch(Arc::downgrade(server.node()));
    announce(&banner::banner(server.addresses(), settings, open));
    let reload = |node: &Node| {
        if let Some(certificates) = &certificates {
            certificates.reload();
        }
        reload(node);
    };
    let result = run_until_told(signals, ended, server, settings.timeouts.drain.0, reload).await;
    drop(files);
    tracing::info!("stopped");
    result
}

/// Somebody who starts it with its output closed wants it to serve all the same.
fn announce(banner: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(banner.as_bytes()).and_then(|()| stdout.flush());
}

fn start(
    settings: &Settings,
    plan: Plan,
    health: &Arc<Health>,
    guards: WorkerGuards,
) -> Result<Server, Failure> {
    let workers = settings.workers.or_else(|| std::thread::available_parallelism().ok());
    let parts = ServerParts {
        settings: plan.net,
        listen: plan.listen,
        workers: workers.map_or(1, std::num::NonZeroUsize::get),
    };
    let (mut node_settings, access, orgs, pubnub) = (plan.node, plan.access, plan.orgs, plan.pubnub);
    node_settings.memory_bytes_max = memory::ceiling(settings.limits.memory_bytes_max);
    let (restoring, tls_at, front) = (pubnub.clone(), settings.listen.len(), Arc::clone(&plan.front));
    // The addresses are bound by then: a port that is taken is noticed before a file is touched.
    let node = |inputs: NodeInputs| {
        if let Some(address) = inputs.addresses.get(tls_at) {
            front.set_tls_port(address.port());
        }
        let store = open_store(settings)?;
        let parts = NodeParts {
            settings: node_settings,
            access,
            store,
            orgs,
            inboxes: Vec::new(),
            on_earlier: Box::new(|| {}),
        };
        let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
        if let Some(pubnub) = &restoring {
            pubnub.restore(&node)?;
        }
        Ok(node)
    };
    let (http, hosts, health) = (settings.http.clone(), plan.hosts, Arc::clone(health));
    let (socketio, exp, gate) = (plan.socketio, plan.exp, plan.gate);
    let (metrics, front_rules) = (settings.metrics, plan.front);
    let endpoint = move |worker: &Worker| {
        guards.watch_this_thread();
        let mut extra = health::routes(&health, worker.node());
        if metrics {
            extra.push(health::metrics(worker.node()));
        }
        let parts = HttpParts { hosts: hosts.clone(), assets: pages::assets(), extra };
        let http = HttpDialect::new(http.clone(), parts).expect("the plan has checked the settings");
        gate.node.get_or_init(|| Arc::clone(worker.node()));
        let mut mounts = Mounts::new(http);
        if let Some(socketio) = &socketio {
            let exp = exp.as_ref().and_then(ExpNetwork::on_socketio);
            mounts = mounts.mount(socketio.path(), socketio.endpoint(worker, exp));
        }
        if let Some(exp) = &exp {
            mounts = mounts.mount(exp::REQUESTS, exp.requests(worker));
            if let Some(sockets) = exp.sockets(worker) {
                mounts = mounts.mount(exp::SOCKETS, sockets);
            }
        }
        if let Some(pubnub) = &pubnub {
            let endpoint = pubnub.endpoint(worker);
            for prefix in PubNub::PREFIXES {
                mounts = mounts.mount(*prefix, endpoint.clone());
            }
        }
        Front::new(mounts, Arc::clone(&front_rules))
    };
    Server::start(parts, node, endpoint).map_err(|error| why_not_started(error, settings))
}

fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StoreError> {
    let behaviour = &settings.store.behaviour;
    Ok(match settings.store.kind {
        StoreKind::Sqlite => Arc::new(SqliteStore::open(&settings.data_dir, behaviour)?),
        StoreKind::Memory => Arc::new(MemoryStore::new(behaviour)?),
    })
}

fn why_not_started(error: ServerError, settings: &Settings) -> Failure {
    let directory = settings.data_dir.display();
    Failure::new(match error {
        ServerError::Listen { address, cause } => match cause.kind() {
            ErrorKind::AddrInUse => {
                format!("{address} is taken by another program: stop it, or choose another with --listen")
            }
            ErrorKind::AddrNotAvailable => format!("{address} is not an address of this machine"),
            ErrorKind::PermissionDenied => {
                format!("{address}: ports below 1024 need a privilege; choose another with --listen")
            }
            _ => format!("cannot listen on {address}: {cause}"),
        },
        ServerError::Store(StoreError::InUse) => {
            format!("{directory} is in use by another server: stop it, or choose another with --data-dir")
        }
        ServerError::Store(error) => format!("{directory}: {error}"),
        ServerError::Worker(_) => error.to_string(),
    })
}

async fn run_until_told(
    mut signals: Signals,
    mut ended: UnboundedReceiver<()>,
    server: Server,
    drain: Duration,
    reload: impl Fn(&Node),
) -> Result<(), Failure> {
    let told = loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop(signal) => break Ok(signal),
                Told::Reload => reload(server.node()),
            },
            _ = ended.recv() => break Err(Failure::new("a worker died, see the log: its connections are lost")),
        }
    };
    match &told {
        Ok(signal) => tracing::info!(signal, "stopping; once more to stop at once"),
        Err(failure) => tracing::error!("{failure}"),
    }
    let mut stopping = tokio::task::spawn_blocking(move || stop(server, drain));
    let stopped = tokio::select! {
        stopped = &mut stopping => stopped,
        () = signals.stop() => {
            tracing::warn!("stopping at once");
            std::process::exit(INTERRUPTED);
        }
    };
    let closed = stopped.map_err(|error| Failure::new(format!("could not stop in good order: {error}")))?;
    told?;
    closed.map_err(|error| Failure::new(format!("the store could not be closed in good order: {error}")))
}

fn stop(server: Server, drain: Duration) -> Result<(), StoreError> {
    let store = Arc::clone(server.node().store());
    let close = Close { code: 1012, reason: "the server restarts".into(), reconnect: true };
    if !server.stop(&close, drain) {
        tracing::warn!("some clients were cut off: timeouts.drain is over");
    }
    store.close()
}

fn reload(node: &Node) {
    match node.access().reload() {
        Ok(()) => tracing::info!("all key files have been read again"),
        Err(error) => tracing::error!("the keys stay as they were: {error}"),
    }
}

/// Each connection is an open file.
fn raise_open_files_limit(connections_max: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it fails, the limit that there is holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Some(files) = getrlimit(Resource::Nofile).current.filter(|files| *files < connections_max as u64) {
        tracing::debug!(files, connections_max, "the limit of open files is reached first");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_everything_else() {
        let file: Settings =
            toml::from_str("listen = [\"127.0.0.1:1\"]\nworkers = 1\ndata_dir = \"file\"\nallow_demo = true")
                .unwrap();
        let mut settings = file.clone();
        ServeArgs::default().apply(&mut settings);
        assert_eq!(settings.to_toml(), file.to_toml());
        let args = ServeArgs {
            listen: vec!["127.0.0.1:2".parse().unwrap()],
            data_dir: Some("flag".into()),
            workers: std::num::NonZeroUsize::new(2),
            memory: true,
            allow_demo: false,
        };
        args.apply(&mut settings);
        assert_eq!(settings.listen, ["127.0.0.1:2".parse().unwrap()]);
        assert_eq!(settings.workers.map(std::num::NonZeroUsize::get), Some(2));
        assert_eq!((settings.data_dir.to_str(), settings.store.kind), (Some("flag"), StoreKind::Memory));
        assert!(settings.allow_demo);
    }
}
