use crate::args::Size;

/// The org's name.
pub(crate) const ORG: &str = "town";
/// Another, where nobody may anything without a credential.
pub(crate) const CLOSED_ORG: &str = "village";
/// The channel of the crowd.
pub(crate) const CHANNEL: &str = "square";
/// What clients of PubNub name.
pub(crate) const SUBSCRIBE_KEY: &str = "sub-town";
/// What they publish with.
pub(crate) const PUBLISH_KEY: &str = "pub-town";
/// A key that permits everything.
pub(crate) const ADMIN_KEY: &str = "town-admin-key";
/// The crowd's user of the EXP network.
pub(crate) const USER: &str = "ann@town.example";
/// His password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// How long the server waits, in milliseconds: far less than by default, so that a run sees the end of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// For a request, also for the next one, and for its body at most a second more.
    pub(crate) handshake: u64,
    /// For a sign of life of a WebSocket, and then for a pong.
    pub(crate) ping: u64,
    /// For the answer to a close.
    pub(crate) close: u64,
}

impl Waits {
    /// Those of a run.
    pub(crate) fn of(size: Size) -> Waits {
        Waits { handshake: size.pick(800, 1500), ping: size.pick(800, 1500), close: 500 }
    }
}

/// The configuration that is attacked: every dialect with its defaults, but for how long it waits.
pub(crate) fn toml(size: Size) -> String {
    let Waits { handshake, ping, close } = Waits::of(size);
    format!(
        r#"[timeouts]
handshake = "{handshake}ms"
keep_alive = "{handshake}ms"
close = "{close}ms"
ping_interval = "{ping}ms"
ping_timeout = "{ping}ms"
presence_grace = "500ms"
channel_idle = "2s"

[http]
body_secs_max = 1

[exp]
body_timeout = "1s"

[pubnub]
body_timeout = "1s"

[websocket]
compression = true

[socketio]
connect_timeout = "1s"

[socketio.engine]
ping_interval_ms = 1500
ping_timeout_ms = 3000
upgrade_timeout_ms = 1000
close_timeout_ms = 1000

[[org]]
name = "{ORG}"
open = true
publish_key = "{PUBLISH_KEY}"
subscribe_key = "{SUBSCRIBE_KEY}"
secret_key = "sec-town-0123456789"

[[org.key]]
key = "{ADMIN_KEY}"
allow = ["admin"]

[[org.jwt]]
algorithm = "HS256"
secret = "a secret of the town with more than 32 bytes"
allow = ["subscribe"]

[[org.user]]
username = "{USER}"
password = "{PASSWORD}"

[[org.rule]]
channels = "flood*"
persist = false
history_age = "2s"
ring_size = 4

[[org]]
name = "{CLOSED_ORG}"

[[org.user]]
username = "{USER}"
password = "{PASSWORD}"
"#
    )
}
