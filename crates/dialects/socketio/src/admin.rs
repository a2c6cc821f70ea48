//! What the dashboard `@socket.io/admin-ui` connects to: a namespace that tells of sockets, rooms, clients and events, and does
//! what its user asks for.
//!
//! It sees everything and may do everything, in all namespaces: it is off unless it is installed. Its sockets, too, can be
//! seen by it. What it is told goes to them alone: it is published nowhere.

mod actions;
mod credentials;
mod feed;
mod seen;
mod settings;
mod stats;

use std::sync::Arc;
use std::time::Duration;

use self::credentials::{Admitted, Credentials};
use self::feed::Feed;
use self::seen::SeenSocket;
pub use self::settings::{AdminAuth, AdminMode, AdminSettings, InvalidAdminSettings};
use self::stats::Counts;
use crate::namespace::Reach;
use crate::{HandlerResult, Io, Outcome, Socket};

/// How often it is looked whether a dashboard has taken what it was sent.
const PACE: Duration = Duration::from_millis(20);

/// What the dashboard can do: it hides what is not named.
const ACTIONS: [&str; 7] = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];

impl Io {
    /// Lets the dashboard connect. To be called once it is installed in a server, and before clients come.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn install_admin(&self, settings: AdminSettings) -> Result<(), InvalidAdminSettings> {
        settings.check()?;
        let credentials = Credentials::new(&settings.auth)?;
        let namespace = self.of(&settings.namespace).map_err(|_| InvalidAdminSettings::Namespace)?;
        namespace.set_reach(Reach::Apart);
        let counts = Arc::new(Counts::default());
        let feed = Feed::new(namespace.clone(), Arc::clone(&counts), settings.mode);
        namespace.use_(Arc::new(move |socket| credentials.check(socket)));
        if !settings.readonly {
            actions::install(&namespace);
        }
        let (features, telling) = (features(&settings), feed.clone());
        namespace.on_connection(Arc::new(move |socket: Socket| {
            Outcome::pending(greet(socket, features.clone(), telling.clone()))
        }));
        self.set_observer(Arc::new(feed.clone()));
        if settings.mode == AdminMode::Development {
            for other in self.namespaces() {
                feed.watch(&other);
            }
            let watching = feed;
            self.on_new_namespace(Arc::new(move |other| watching.watch(other)));
        }
        stats::start(namespace, counts, settings.server_id);
        Ok(())
    }
}

fn features(settings: &AdminSettings) -> Vec<&'static str> {
    let mut features = if settings.readonly { Vec::new() } else { ACTIONS.to_vec() };
    features.push("AGGREGATED_EVENTS");
    if settings.mode == AdminMode::Development {
        features.push("ALL_EVENTS");
    }
    features
}

async fn greet(socket: Socket, features: Vec<&'static str>, feed: Feed) -> HandlerResult {
    if let Some(admitted) = socket.extensions().remove::<Admitted>() {
        socket.emit("session", &admitted.session)?;
    }
    socket.emit("config", serde_json::json!({ "supportedFeatures": features }))?;
    if feed.mode() == AdminMode::Development { show_all(&socket, &feed).await } else { Ok(()) }
}

/// Shows every socket: as many at once as a dashboard can be sent at a time, and the rest one after the other.
async fn show_all(socket: &Socket, feed: &Feed) -> HandlerResult {
    let Some(connection) = socket.at_home() else { return Ok(()) };
    let client = connection.client();
    let max = client.worker().settings().outbox_bytes_max;
    let max = max.min(socket.io().settings().engine.engine.send_buffer_bytes_max) / 2;
    let mut rest = seen::all(socket.io());
    let (mut first, mut bytes) = (Vec::new(), 0);
    for one in rest.by_ref() {
        let one = SeenSocket::of(&one);
        bytes += one.bytes();
        first.push(one);
        if bytes > max {
            break;
        }
    }
    socket.emit("all_sockets", &first)?;
    for one in rest.filter(Socket::is_connected) {
        while client.buffered_bytes() > max && socket.is_connected() {
            tokio::time::sleep(PACE).await;
        }
        socket.emit("socket_connected", (SeenSocket::of(&one), feed.time()))?;
    }
    Ok(())
}
