//! The section `[pubnub]`.

use std::path::PathBuf;

use antiphon_pubnub::PubNubSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// Apps on the SDKs of PubNub: `[pubnub]`. A keyset is an org: its `publish_key` and `subscribe_key`. The local default has `demo` and `demo`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PubNubSection {
    /// Whether they are served. Default: true. Pages of every origin may read the answers, as they may with PubNub: who has the keys may come.
    pub(crate) enabled: bool,
    /// How many bytes a published message may have, as JSON. Default: 32768.
    pub(crate) message_bytes_max: usize,
    /// How many bytes a signal may have, as JSON. Default: 64.
    pub(crate) signal_bytes_max: usize,
    /// How many bytes the path and query of a request may have. Default: 61440; 64 KiB and more are never read. The server's own
    /// limit on the head of a request counts before this one. Messages that are longer once they are encoded have to be posted.
    pub(crate) uri_bytes_max: usize,
    /// How many bytes the body of a request may have, also once it is decompressed. Default: 262144. Uploads have a limit of
    /// their own.
    pub(crate) body_bytes_max: usize,
    /// How long a request's body may take to arrive. Default: `30s`.
    pub(crate) body_timeout: Duration,
    /// How long a subscribe waits for messages. Default: `280s`: clients wait for 310 s.
    pub(crate) subscribe_wait_max: Duration,
    /// How many messages one answer to a subscribe has. Default: 100. The next answer goes on where it ends.
    pub(crate) messages_per_answer_max: usize,
    /// About how many bytes of messages one answer to a subscribe has. Default: 1048576.
    pub(crate) answer_bytes_max: usize,
    /// For how long a busy worker keeps a subscribe waiting for more, so that one answer has several messages. Default: `400ms`, which is
    /// reached with 5,000 polls on one worker that are all answered all the time. 0: not at all.
    pub(crate) answer_hold_max: Duration,
    /// How many channels, and how many channel groups, one request may name. Default: 2000.
    pub(crate) names_per_request_max: usize,
    /// How long who subscribes or beats counts as present that names no time. Default: `300s`.
    pub(crate) presence_timeout_default: Duration,
    /// The longest that one heartbeat counts; longer ones are cut to it. Default: `1h`.
    pub(crate) presence_timeout_max: Duration,
    /// How many members one here-now names, over all of its channels. Default: 10000. The occupancy counts all.
    pub(crate) here_now_members_max: usize,
    /// How many channels are named by the here-now of a whole keyset, and by where-now. Default: 1000.
    pub(crate) here_now_channels_max: usize,
    /// How many states are kept of users who are not present where they set them, until they come. Default: 10000.
    pub(crate) states_kept_max: usize,
    /// Of how many clients it is remembered from where they polled last, so that those who begin anew in between lose nothing.
    /// Default: 100000, about 150 bytes each.
    pub(crate) cursors_kept_max: usize,
    /// How many channel groups a keyset may have. Default: 100000.
    pub(crate) groups_max: usize,
    /// How many channels a channel group may have. Default: 2000.
    pub(crate) channels_per_group_max: usize,
    /// How many channels one request for history or message counts may name. Default: 500.
    pub(crate) history_channels_max: usize,
    /// About how many bytes of messages one answer with history has. Default: 16777216. Of one channel the messages that do not fit are left
    /// out, and come with the next request; of several, the request is refused.
    pub(crate) history_bytes_max: usize,
    /// How many actions one answer with history has. Default: 10000. Messages that are left out for that come with the next request.
    pub(crate) actions_per_answer_max: usize,
    /// How many bytes of JSON may be set of a user or a channel at once. Default: 32768.
    pub(crate) object_bytes_max: usize,
    /// How many memberships one request may change. Default: 1000. Each is told to subscribers of its user and of its channel.
    pub(crate) memberships_per_request_max: usize,
    /// How many bytes a file may have. Default: 5242880.
    pub(crate) file_bytes_max: u64,
    /// How many bytes all files of all keysets may have together. Default: 10737418240. Uploads beyond that are refused.
    pub(crate) files_bytes_max: u64,
    /// How long a file is kept. Default: `30d`. 0: until it is deleted.
    pub(crate) files_keep: Duration,
    /// How long the URLs are good for by which a file is uploaded and downloaded. Default: `10m`. Whoever has such a URL needs nothing
    /// else, and it is good until then though a token is revoked meanwhile.
    pub(crate) file_urls_valid: Duration,
    /// How many files may be uploaded at once. Default: 64.
    pub(crate) uploads_max: usize,
    /// How long an upload may take. Default: `5m`.
    pub(crate) upload_timeout: Duration,
    /// Where clients reach this server, like `https://chat.example.com`: what the URLs of files begin with. Default: none, and they begin
    /// with the host that the request names, and `https` if a proxy says so with `X-Forwarded-Proto`.
    pub(crate) public_origin: Option<String>,
    /// How many channels a device may be registered for to be told of messages. Default: 2000.
    pub(crate) push_channels_per_device_max: usize,
}

impl Default for PubNubSection {
    fn default() -> PubNubSection {
        let settings = PubNubSettings::default();
        PubNubSection {
            enabled: true,
            message_bytes_max: settings.message_bytes_max,
            signal_bytes_max: settings.signal_bytes_max,
            uri_bytes_max: settings.uri_bytes_max,
            body_bytes_max: settings.body_bytes_max,
            body_timeout: Duration(settings.body_timeout),
            subscribe_wait_max: Duration(settings.subscribe_wait_max),
            messages_per_answer_max: settings.messages_per_answer_max,
            answer_bytes_max: settings.answer_bytes_max,
            answer_hold_max: Duration(settings.answer_hold_max),
            names_per_request_max: settings.names_per_request_max,
            presence_timeout_default: Duration(settings.presence_timeout_default),
            presence_timeout_max: Duration(settings.presence_timeout_max),
            here_now_members_max: settings.here_now_members_max,
            here_now_channels_max: settings.here_now_channels_max,
            states_kept_max: settings.states_kept_max,
            cursors_kept_max: settings.cursors_kept_max,
            groups_max: settings.groups_max,
            channels_per_group_max: settings.channels_per_group_max,
            history_channels_max: settings.history_channels_max,
            history_bytes_max: settings.history_bytes_max,
            actions_per_answer_max: settings.actions_per_answer_max,
            object_bytes_max: settings.object_bytes_max,
            memberships_per_request_max: settings.memberships_per_request_max,
            file_bytes_max: settings.file_bytes_max,
            files_bytes_max: settings.files_bytes_max,
            files_keep: Duration(settings.files_keep),
            file_urls_valid: Duration(settings.file_urls_valid),
            uploads_max: settings.uploads_max,
            upload_timeout: Duration(settings.upload_timeout),
            public_origin: settings.public_origin,
            push_channels_per_device_max: settings.push_channels_per_device_max,
        }
    }
}

impl PubNubSection {
    /// The settings of the dialect, which keeps its files in `files_dir`.
    pub(crate) fn settings(&self, files_dir: Option<PathBuf>) -> PubNubSettings {
        PubNubSettings {
            files_dir,
            message_bytes_max: self.message_bytes_max,
            signal_bytes_max: self.signal_bytes_max,
            uri_bytes_max: self.uri_bytes_max,
            body_bytes_max: self.body_bytes_max,
            body_timeout: self.body_timeout.0,
            subscribe_wait_max: self.subscribe_wait_max.0,
            messages_per_answer_max: self.messages_per_answer_max,
            answer_bytes_max: self.answer_bytes_max,
            answer_hold_max: self.answer_hold_max.0,
            names_per_request_max: self.names_per_request_max,
            presence_timeout_default: self.presence_timeout_default.0,
            presence_timeout_max: self.presence_timeout_max.0,
            here_now_members_max: self.here_now_members_max,
            here_now_channels_max: self.here_now_channels_max,
            states_kept_max: self.states_kept_max,
            cursors_kept_max: self.cursors_kept_max,
            groups_max: self.groups_max,
            channels_per_group_max: self.channels_per_group_max,
            history_channels_max: self.history_channels_max,
            history_bytes_max: self.history_bytes_max,
            actions_per_answer_max: self.actions_per_answer_max,
            object_bytes_max: self.object_bytes_max,
            memberships_per_request_max: self.memberships_per_request_max,
            file_bytes_max: self.file_bytes_max,
            files_bytes_max: self.files_bytes_max,
            files_keep: self.files_keep.0,
            file_urls_valid: self.file_urls_valid.0,
            uploads_max: self.uploads_max,
            upload_timeout: self.upload_timeout.0,
            public_origin: self.public_origin.clone(),
            push_channels_per_device_max: self.push_channels_per_device_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reaches_the_dialect_and_the_rest_is_its_default() {
        assert_eq!(PubNubSection::default().settings(None), PubNubSettings::default());
        let section: PubNubSection =
            toml::from_str("subscribe_wait_max = \"20s\"\nsignal_bytes_max = 100").unwrap();
        let settings = section.settings(Some("files".into()));
        assert_eq!((settings.subscribe_wait_max.as_secs(), settings.signal_bytes_max), (20, 100));
        assert_eq!(settings.groups_max, PubNubSettings::default().groups_max);
        assert_eq!(settings.files_dir, Some("files".into()));
    }
}
