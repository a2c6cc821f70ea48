use std::fmt::Write as _;

use crate::channels::{CHANNEL_IDLE, MEMORY_MESSAGES, SHORT_AGE, SHORT_MESSAGES};
use crate::credentials::{
    ADMIN_KEY, DEVICE_SECRET, DEVICES, JWT_SECRET, KEY, ORG, PUBLISH_KEY, SUBSCRIBE_KEY,
};

/// The server's configuration: everything that is kept for a time is kept for a short one, so that what a server holds
/// after days is there after some minutes, and what grows beyond that shows.
pub(crate) fn server() -> String {
    let mut config = format!(
        r#"
[timeouts]
channel_idle = "{}s"
idempotency_keep = "60s"
presence_grace = "2s"
ping_interval = "5s"
ping_timeout = "10s"
deliver_uncommitted_after = "60s"

[limits]
outbox_bytes_max = 262144

[store]
idempotency_keep_secs = 120
forget_channel_secs = 120
actions_without_message_secs = 60
channel_cache = 512
page_cache_bytes = 4194304
wal_bytes_max = 16777216
retention_interval_millis = 500

[http]
heartbeat_secs = 3

[socketio.recovery]
enabled = true
max_disconnection = "45s"

[socketio.engine]
ping_interval_ms = 5000
ping_timeout_ms = 10000

[exp]
subscriptions_kept_for = "20s"

[pubnub]
cursors_kept_max = 1000
states_kept_max = 200
subscribe_wait_max = "20s"
presence_timeout_default = "10s"
files_keep = "5m"

[[org]]
name = "{ORG}"
publish_key = "{PUBLISH_KEY}"
subscribe_key = "{SUBSCRIBE_KEY}"

[[org.key]]
key = "{KEY}"
allow = ["publish", "subscribe", "history", "presence"]

[[org.key]]
key = "{ADMIN_KEY}"
allow = ["admin"]

[[org.jwt]]
algorithm = "HS256"
secret = "{JWT_SECRET}"
"#,
        CHANNEL_IDLE.as_secs()
    );
    for number in 0..DEVICES {
        // Writing to a string does not fail.
        let _ =
            write!(config, "\n[[org.device]]\nuuid = \"device-{number}\"\nsecret = \"{DEVICE_SECRET}\"\n");
    }
    let rules = [
        (
            "memory.*",
            format!(
                "persist = false\nhistory_age = \"20s\"\nhistory_size = {MEMORY_MESSAGES}\nring_size = {MEMORY_MESSAGES}"
            ),
        ),
        (
            "short.*",
            format!(
                "history_size = {SHORT_MESSAGES}\nring_size = 5\nhistory_age = \"{}s\"",
                SHORT_AGE.as_secs()
            ),
        ),
        ("fat.*", "persist = false\nhistory_age = \"20s\"\nhistory_size = 10\nring_size = 10".to_owned()),
        // Nobody is away for half as long.
        ("*", "history_size = 100000\nring_size = 50\nhistory_age = \"3m\"".to_owned()),
    ];
    for (channels, rule) in rules {
        let _ = write!(config, "\n[[org.rule]]\nchannels = \"{channels}\"\n{rule}\n");
    }
    config
}
