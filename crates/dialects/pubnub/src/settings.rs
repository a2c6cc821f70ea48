use std::path::PathBuf;
use std::time::Duration;

/// The PubNub-compatible API: how much a request may carry, and how long it may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubNubSettings {
    /// How many bytes a published message may have, as JSON. Default: 32 KiB.
    pub message_bytes_max: usize,
    /// How many bytes a signal may have, as JSON. Default: 64.
    pub signal_bytes_max: usize,
    /// How many bytes the path and query of a request may have. Default: 60 KiB; 64 KiB and more are never read. The server's own
    /// limit on the head of a request counts before this one. Messages that are longer once they are encoded have to be posted.
    pub uri_bytes_max: usize,
    /// How many bytes the body of a request may have, also once it is decompressed. Default: 256 KiB. Uploads have a limit of
    /// their own.
    pub body_bytes_max: usize,
    /// How long a request's body may take to arrive. Default: 30 s.
    pub body_timeout: Duration,
    /// How long a subscribe waits for messages. Default: 280 s: clients wait for 310 s.
    pub subscribe_wait_max: Duration,
    /// How many messages one answer to a subscribe has. Default: 100. The next answer goes on where it ends.
    pub messages_per_answer_max: usize,
    /// About how many bytes of messages one answer to a subscribe has. Default: 1 MiB.
    pub answer_bytes_max: usize,
    /// For how long a busy worker keeps a subscribe waiting for more, so that one answer has several messages. Default: 400 ms, which is
    /// reached with 5,000 polls on one worker that are all answered all the time. 0: not at all.
    pub answer_hold_max: Duration,
    /// How many channels, and how many channel groups, one request may name. Default: 2000.
    pub names_per_request_max: usize,
    /// How long who subscribes or beats counts as present that names no time. Default: 300 s.
    pub presence_timeout_default: Duration,
    /// The longest that one heartbeat counts; longer ones are cut to it. Default: 1 hour.
    pub presence_timeout_max: Duration,
    /// How many members one here-now names, over all of its channels. Default: 10000. The occupancy counts all.
    pub here_now_members_max: usize,
    /// How many channels are named by the here-now of a whole keyset, and by where-now. Default: 1000.
    pub here_now_channels_max: usize,
    /// How many states are kept of users who are not present where they set them, until they come. Default: 10000.
    pub states_kept_max: usize,
    /// Of how many clients it is remembered from where they polled last, so that those who begin anew in between lose nothing.
    /// Default: 100000, about 150 bytes each.
    pub cursors_kept_max: usize,
    /// How many channel groups a keyset may have. Default: 100000.
    pub groups_max: usize,
    /// How many channels a channel group may have. Default: 2000.
    pub channels_per_group_max: usize,
    /// How many channels one request for history or message counts may name. Default: 500.
    pub history_channels_max: usize,
    /// About how many bytes of messages one answer with history has. Default: 16 MiB. Of one channel the messages that do not fit are left
    /// out, and come with the next request; of several, the request is refused.
    pub history_bytes_max: usize,
    /// How many actions one answer with history has. Default: 10000. Messages that are left out for that come with the next request.
    pub actions_per_answer_max: usize,
    /// How many bytes of JSON may be set of a user or a channel at once. Default: 32 KiB.
    pub object_bytes_max: usize,
    /// How many memberships one request may change. Default: 1000. Each is told to subscribers of its user and of its channel.
    pub memberships_per_request_max: usize,
    /// Where the files are kept that clients share. Default: none, and files are refused. The directory is made if it is not there, and is
    /// this server's alone: files in it that the store knows nothing of are removed at the start, so it must not outlive its store.
    pub files_dir: Option<PathBuf>,
    /// How many bytes a file may have. Default: 5 MiB.
    pub file_bytes_max: u64,
    /// How many bytes all files of all keysets may have together. Default: 10 GiB. Uploads beyond that are refused.
    pub files_bytes_max: u64,
    /// How long a file is kept. Default: 30 days. 0: until it is deleted.
    pub files_keep: Duration,
    /// How long the URLs are good for by which a file is uploaded and downloaded. Default: 10 minutes. Whoever has such a URL needs nothing
    /// else, and it is good until then though a token is revoked meanwhile.
    pub file_urls_valid: Duration,
    /// How many files may be uploaded at once. Default: 64.
    pub uploads_max: usize,
    /// How long an upload may take. Default: 5 minutes.
    pub upload_timeout: Duration,
    /// Where clients reach this server, like `https://chat.example.com`: what the URLs of files begin with. Default: none, and they begin
    /// with the host that the request names, and `https` if a proxy says so with `X-Forwarded-Proto`.
    pub public_origin: Option<String>,
    /// How many channels a device may be registered for to be told of messages. Default: 2000.
    pub push_channels_per_device_max: usize,
}

impl Default for PubNubSettings {
    fn default() -> PubNubSettings {
        PubNubSettings {
            message_bytes_max: 32 << 10,
            signal_bytes_max: 64,
            uri_bytes_max: 60 << 10,
            body_bytes_max: 256 << 10,
            body_timeout: Duration::from_secs(30),
            subscribe_wait_max: Duration::from_secs(280),
            messages_per_answer_max: 100,
            answer_bytes_max: 1 << 20,
            answer_hold_max: Duration::from_millis(400),
            names_per_request_max: 2000,
            presence_timeout_default: Duration::from_secs(300),
            presence_timeout_max: Duration::from_secs(3600),
            here_now_members_max: 10_000,
            here_now_channels_max: 1000,
            states_kept_max: 10_000,
            cursors_kept_max: 100_000,
            groups_max: 100_000,
            channels_per_group_max: 2000,
            history_channels_max: 500,
            history_bytes_max: 16 << 20,
            actions_per_answer_max: 10_000,
            object_bytes_max: 32 << 10,
            memberships_per_request_max: 1000,
            files_dir: None,
            file_bytes_max: 5 << 20,
            files_bytes_max: 10 << 30,
            files_keep: Duration::from_secs(30 * 24 * 60 * 60),
            file_urls_valid: Duration::from_secs(600),
            uploads_max: 64,
            upload_timeout: Duration::from_secs(300),
            public_origin: None,
            push_channels_per_device_max: 2000,
        }
    }
}

/// The settings contradict what clients can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPubNubSettings {
    /// Clients would give up before they are answered, or ask all the time.
    #[error("subscribe_wait_max has to be from 1 s to 300 s")]
    SubscribeWait,
    /// Nothing could be read, or nobody would be present.
    #[error("{0} has to be at least 1 ms")]
    NoTime(&'static str),
    /// URLs of files would lead nowhere.
    #[error("public_origin has to be http:// or https:// and a host, without a path")]
    Origin,
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
}

/// Clients give up after 310 s.
const SUBSCRIBE_WAIT_LONGEST: Duration = Duration::from_secs(300);

impl PubNubSettings {
    /// Checks that the times and limits are ones that clients can live with.
    ///
    /// # Errors
    /// One is not.
    pub fn check(&self) -> Result<(), InvalidPubNubSettings> {
        if !(Duration::from_secs(1)..=SUBSCRIBE_WAIT_LONGEST).contains(&self.subscribe_wait_max) {
            return Err(InvalidPubNubSettings::SubscribeWait);
        }
        for (name, time) in [
            ("body_timeout", self.body_timeout),
            ("presence_timeout_default", self.presence_timeout_default),
            ("presence_timeout_max", self.presence_timeout_max),
            ("file_urls_valid", self.file_urls_valid),
            ("upload_timeout", self.upload_timeout),
        ] {
            if time.as_millis() == 0 {
                return Err(InvalidPubNubSettings::NoTime(name));
            }
        }
        if !self.public_origin.as_deref().is_none_or(is_origin) {
            return Err(InvalidPubNubSettings::Origin);
        }
        for (name, limit) in
            [("file_bytes_max", self.file_bytes_max), ("files_bytes_max", self.files_bytes_max)]
        {
            if limit == 0 {
                return Err(InvalidPubNubSettings::Zero(name));
            }
        }
        for (name, limit) in [
            ("message_bytes_max", self.message_bytes_max),
            ("signal_bytes_max", self.signal_bytes_max),
            ("uri_bytes_max", self.uri_bytes_max),
            ("body_bytes_max", self.body_bytes_max),
            ("messages_per_answer_max", self.messages_per_answer_max),
            ("answer_bytes_max", self.answer_bytes_max),
            ("names_per_request_max", self.names_per_request_max),
            ("here_now_members_max", self.here_now_members_max),
            ("here_now_channels_max", self.here_now_channels_max),
            ("states_kept_max", self.states_kept_max),
            ("cursors_kept_max", self.cursors_kept_max),
            ("groups_max", self.groups_max),
            ("channels_per_group_max", self.channels_per_group_max),
            ("history_channels_max", self.history_channels_max),
            ("history_bytes_max", self.history_bytes_max),
            ("actions_per_answer_max", self.actions_per_answer_max),
            ("object_bytes_max", self.object_bytes_max),
            ("memberships_per_request_max", self.memberships_per_request_max),
            ("uploads_max", self.uploads_max),
            ("push_channels_per_device_max", self.push_channels_per_device_max),
        ] {
            if limit == 0 {
                return Err(InvalidPubNubSettings::Zero(name));
            }
        }
        Ok(())
    }
}

fn is_origin(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.authority().is_some() && uri.path() == "/" && uri.query().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_let_something_through() {
        assert_eq!(PubNubSettings::default().check(), Ok(()));
    }

    #[test]
    fn what_clients_cannot_live_with_is_refused() {
        let settings =
            PubNubSettings { subscribe_wait_max: Duration::from_secs(301), ..PubNubSettings::default() };
        assert_eq!(settings.check(), Err(InvalidPubNubSettings::SubscribeWait));
        let settings = PubNubSettings { groups_max: 0, ..PubNubSettings::default() };
        assert_eq!(settings.check(), Err(InvalidPubNubSettings::Zero("groups_max")));
        let settings = PubNubSettings { body_timeout: Duration::ZERO, ..PubNubSettings::default() };
        assert_eq!(settings.check(), Err(InvalidPubNubSettings::NoTime("body_timeout")));
        for (origin, expected) in [
            ("https://a.example:1", Ok(())),
            ("a.example", Err(InvalidPubNubSettings::Origin)),
            ("http://a/b", Err(InvalidPubNubSettings::Origin)),
        ] {
            let settings = PubNubSettings { public_origin: Some(origin.into()), ..PubNubSettings::default() };
            assert_eq!(settings.check(), expected, "{origin}");
        }
    }
}
