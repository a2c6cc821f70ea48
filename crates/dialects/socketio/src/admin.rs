//! What the dashboard `@socket.io/admin-ui` connects to: a namespace that tells of sockets, rooms, clients and events, and does
//! what its user asks for.
//!
//! It sees everything and may do everything, in all namespaces: it is off unless it is installed. Its sockets, too, can be
//! seen by it.

mod actions;
mod credentials;
mod feed;
mod seen;
mod settings;
mod stats;

use std::sync::Arc;

use self::credentials::Credentials;
use self::feed::Feed;
pub use self::settings::{AdminAuth, AdminMode, AdminSettings, InvalidAdminSettings};
use self::stats::Counts;
use crate::{Io, Outcome, Socket};

/// What the dashboard can do: it hides what is not named.
const ACTIONS: [&str; 7] = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];

impl Io {
    /// Lets the dashboard connect. To be called once it is installed in a server, and before clients come.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn install_admin(&self, settings: AdminSettings) -> Result<(), InvalidAdminSettings> {
        let credentials = Credentials::new(&settings.auth)?;
        let namespace = self.of(&settings.namespace).map_err(|_| InvalidAdminSettings::Namespace)?;
        let counts = Arc::new(Counts::default());
        let feed = Feed::new(namespace.clone(), Arc::clone(&counts), settings.mode);
        namespace.use_(Arc::new(move |socket| credentials.check(socket)));
        if !settings.readonly {
            actions::install(&namespace);
        }
        let features = features(&settings);
        let mode = settings.mode;
        namespace.on_connection(Arc::new(move |socket: Socket| {
            let greeting = greet(socket, features.clone(), mode);
            Outcome::pending(greeting)
        }));
        self.set_observer(Arc::new(feed.clone()));
        if mode == AdminMode::Development {
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

async fn greet(socket: Socket, features: Vec<&'static str>, mode: AdminMode) -> crate::HandlerResult {
    socket.emit("config", &serde_json::json!({ "supportedFeatures": features }))?;
    if mode == AdminMode::Development {
        let all = seen::all(socket.io()).await;
        socket.emit("all_sockets", &all)?;
    }
    Ok(())
}
