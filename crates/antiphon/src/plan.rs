use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{LimitSettings, OrgSettings};
use antiphon_engineio::Engine;
use antiphon_http::HttpSettings;
use antiphon_hub::{Rule, Rules};
use antiphon_net::{NetSettings, Worker};
use antiphon_node::NodeSettings;
use antiphon_socketio::SocketIoSettings;
use antiphon_store::StoreSettings;

use crate::pages::Pages;

/// The org of a program that names none.
const ORG: &str = "antiphon";

/// How many publications of a room are kept for sockets that come back, where no rule says otherwise.
const RECOVERABLE: usize = 1000;

/// What a server is made of, when it is started.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) workers: Option<NonZeroUsize>,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) net: NetSettings,
    pub(crate) node: NodeSettings,
    pub(crate) store: StoreChoice,
    pub(crate) store_settings: StoreSettings,
    pub(crate) rules: Option<Vec<Rule>>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) native: Option<Native>,
    pub(crate) engines: Vec<EngineAt>,
    pub(crate) grace: Grace,
}

/// Where publications are kept.
#[derive(Clone, Debug, Default)]
pub(crate) enum StoreChoice {
    #[default]
    Memory,
    Sqlite(PathBuf),
}

/// The native HTTP dialect beside Socket.IO.
#[derive(Clone, Debug)]
pub(crate) struct Native {
    pub(crate) org: OrgSettings,
    pub(crate) http: HttpSettings,
}

/// Engine.IO at a path of its own.
pub(crate) struct EngineAt {
    pub(crate) path: String,
    pub(crate) make: Box<dyn Fn(&Worker) -> Engine + Send + Sync>,
}

/// How long what is under way may take when the server stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace(pub(crate) Duration);

impl Default for Grace {
    fn default() -> Grace {
        Grace(Duration::from_secs(10))
    }
}

impl Plan {
    /// The only org: its clients are the program's sockets and, if any, those of the native dialect.
    pub(crate) fn org(&self) -> OrgSettings {
        match &self.native {
            Some(native) => native.org.clone(),
            None => OrgSettings { name: ORG.into(), ..OrgSettings::default() },
        }
    }

    /// The limits of what the program itself does: its own affair, but for what no outbox could hold.
    pub(crate) fn limits(&self) -> LimitSettings {
        LimitSettings {
            payload_bytes_max: self.net.outbox_bytes_max,
            subscriptions_per_session_max: usize::MAX,
            connections_max: self.net.connections_max,
            connections_per_identity_max: self.net.connections_max,
            ..LimitSettings::default()
        }
    }

    /// What is kept of what is said in rooms: by the program's rules, or only what sockets that come back need.
    pub(crate) fn rules(&self, settings: &SocketIoSettings) -> Rules {
        if let Some(rules) = &self.rules {
            return Rules::new(rules.iter().cloned());
        }
        let presence = self.native.is_some();
        let rule = match (&self.store, &settings.connection_state_recovery) {
            (StoreChoice::Sqlite(_), _) => Rule { presence, ..Rule::default() },
            (StoreChoice::Memory, Some(recovery)) => Rule {
                persist: false,
                presence,
                history_size: RECOVERABLE,
                ring_size: RECOVERABLE,
                history_age: Some(Duration::from_millis(recovery.max_disconnection_ms)),
                ..Rule::default()
            },
            (StoreChoice::Memory, None) => {
                Rule { persist: false, presence, history_size: 0, ring_size: 0, ..Rule::default() }
            }
        };
        Rules::new([rule])
    }
}
