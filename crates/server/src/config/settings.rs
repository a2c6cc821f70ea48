use std::num::NonZeroUsize;
use std::path::PathBuf;

use antiphon_access::{LimitSettings as OrgLimitSettings, OrgSettings};
use antiphon_http::HttpSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exp::ExpSection;
use super::limits::LimitSettings;
use super::listen::ListenAddress;
use super::proxy::ProxySettings;
use super::pubnub::PubNubSection;
use super::rule::RuleSettings;
use super::socketio::SocketIoSection;
use super::store::StoreSection;
use super::timeouts::TimeoutSettings;
use super::tls::TlsSection;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The addresses to listen on, each as `IP:port`; port 0 takes a free one. Default: `127.0.0.1:8080`, which only this
    /// machine reaches. On any other address the server does not start before there is an `[[org]]`, or
    /// `allow_demo`. Plain HTTP is spoken there: where strangers are on the way, take `tls.listen`, or put a proxy that speaks TLS before it.
    /// May be empty where `tls.listen` is not.
    pub(crate) listen: Vec<ListenAddress>,
    /// The directory for the database; it is made if it is not there. Default: `antiphon-data` below the directory
    /// that the server is started in. One server at a time can use it. It has to be on a local disk: the locks that
    /// keep the database sound are not to be relied on over a network.
    pub(crate) data_dir: PathBuf,
    /// How many threads serve connections. Default: one for each core. More than there are cores cost memory and gain nothing.
    pub(crate) workers: Option<NonZeroUsize>,
    /// Whether there is the org `demo`, which asks for no credentials, whatever the addresses and however many other orgs.
    /// Default: false, and then it is there only as long as no `[[org]]` is configured and all addresses are
    /// loopback. Dangerous where others reach the server: each of them may publish, listen and fill the
    /// disk up to the limits of `[demo.limits]`; the check of `Host` that keeps rebinding web pages out is off as well.
    pub(crate) allow_demo: bool,
    /// Whether `/metrics` answers. Default: true. It answers whoever reaches the server, without credentials: how many connections,
    /// channels and messages there are, and nothing of what is in them.
    pub(crate) metrics: bool,
    /// Connections that are encrypted.
    pub(crate) tls: TlsSection,
    /// How far things can grow, over all orgs; what one org's clients can grow is in `[org.limits]`.
    pub(crate) limits: LimitSettings,
    /// How long things may take.
    pub(crate) timeouts: TimeoutSettings,
    /// Proxies and load balancers in front of the server.
    pub(crate) proxy: ProxySettings,
    /// WebSocket connections.
    pub(crate) websocket: WebSocketSettings,
    /// The native protocol over HTTP.
    pub(crate) http: HttpSettings,
    /// Clients of Socket.IO.
    pub(crate) socketio: SocketIoSection,
    /// The EXP network: devices, users and consumer apps.
    pub(crate) exp: ExpSection,
    /// Apps on the SDKs of PubNub.
    pub(crate) pubnub: PubNubSection,
    /// Where publications are kept.
    pub(crate) store: StoreSection,
    /// The org `demo`, where there is one.
    pub(crate) demo: DemoSettings,
    /// How the channels of a pattern behave, in every org, after the org's own rules. The first rule whose pattern matches counts.
    #[serde(rename = "rule")]
    pub(crate) rules: Vec<RuleSettings>,
    /// Tenants. Nothing crosses from one to another.
    #[serde(rename = "org")]
    pub(crate) orgs: Vec<OrgSection>,
}

/// WebSocket connections: `[websocket]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebSocketSettings {
    /// Whether messages are compressed for clients that offer permessage-deflate. Default: false. Each message is compressed
    /// once for all its subscribers, which costs more time than anything else done with it; a connection costs no
    /// memory for it.
    pub(crate) compression: bool,
    /// Messages of fewer bytes than this are sent as they are. Default: 256. Small messages hardly get smaller.
    pub(crate) compression_threshold_bytes: usize,
}

impl Default for WebSocketSettings {
    fn default() -> WebSocketSettings {
        WebSocketSettings { compression: false, compression_threshold_bytes: 256 }
    }
}

/// The org `demo`: `[demo]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DemoSettings {
    /// How far its clients can grow things.
    pub(crate) limits: OrgLimitSettings,
}

/// A tenant: `[[org]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub(crate) struct OrgSection {
    /// Who may do what in it.
    #[serde(flatten)]
    pub(crate) access: OrgSettings,
    /// How the channels of a pattern behave in this org: `[[org.rule]]`, before the rules for all orgs. The first
    /// rule whose pattern matches counts.
    #[serde(default, rename = "rule")]
    pub(crate) rules: Vec<RuleSettings>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: vec![ListenAddress(([127, 0, 0, 1], 8080).into())],
            data_dir: "antiphon-data".into(),
            workers: None,
            allow_demo: false,
            metrics: true,
            tls: TlsSection::default(),
            limits: LimitSettings::default(),
            timeouts: TimeoutSettings::default(),
            proxy: ProxySettings::default(),
            websocket: WebSocketSettings::default(),
            http: HttpSettings::default(),
            socketio: SocketIoSection::default(),
            exp: ExpSection::default(),
            pubnub: PubNubSection::default(),
            store: StoreSection::default(),
            demo: DemoSettings::default(),
            rules: Vec::new(),
            orgs: Vec::new(),
        }
    }
}
