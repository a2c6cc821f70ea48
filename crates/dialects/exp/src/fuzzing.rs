//! What the fuzz targets call, and what the corpus is replayed with. Not for other use.

use std::time::Duration;

use antiphon_socketio::EventData;
use bytes::Bytes;

use crate::socket::subscribe::channel_ids;
use crate::wire::broadcast::{self, Broadcast, Response};
use crate::wire::channel::{self, ChannelArgument};
use crate::wire::login::LoginBody;
use crate::wire::{path, payload};

/// A channel's id.
pub fn channel(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(reference) = channel::decode_id(&text) {
        let org = reference.org.as_deref().unwrap_or_default();
        let again = channel::decode_id(&channel::encode_id(org, &reference.channel));
        assert_eq!(again.as_ref(), Ok(&reference));
    }
}

/// What a client says to its socket: an event with channel ids.
pub fn subscribe(data: &[u8]) {
    const MAX: usize = 10;
    if let Ok(event) = EventData::parse(Bytes::copy_from_slice(data)) {
        let ids = channel_ids(&event, MAX);
        assert!(ids.len() <= MAX);
        for id in ids {
            channel(id.as_bytes());
        }
    }
}

/// The first line of a request's target, and its body.
pub fn request(data: &[u8]) {
    const MAX: Duration = Duration::from_secs(60);
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (target, body) = data.split_at(end);
    let target = String::from_utf8_lossy(target);
    let (resource, query) = target.split_once('?').unwrap_or((&target, ""));
    let _ = path::parse(resource);
    assert!(broadcast::timeout(Some(query), MAX, MAX) <= MAX);
    if let Ok(body) = broadcast::parse::<LoginBody>(body) {
        _ = body.login();
    }
    if let Ok(body) = broadcast::parse::<Broadcast<'_>>(body) {
        said(&body.channel, body.payload);
    }
    if let Ok(body) = broadcast::parse::<Response<'_>>(body) {
        said(&body.channel, body.payload);
    }
}

fn said(channel: &ChannelArgument<'_>, json: Option<&serde_json::value::RawValue>) {
    let _ = channel.resolve();
    if let Ok(payload) = payload::read(json) {
        let mut out = Vec::new();
        payload::write(&payload, &mut out);
        assert_eq!(out, json.map_or("null", |json| json.get()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What once was found, or seeded, stays harmless.
    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
        let Ok(entries) = std::fs::read_dir(&directory) else { return 0 };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| target(&std::fs::read(path).unwrap()))
            .count()
    }

    #[test]
    fn the_corpora_are_survived() {
        assert!(replay("exp_channel", super::channel) > 0);
        assert!(replay("exp_request", super::request) > 0);
        assert!(replay("exp_subscribe", super::subscribe) > 0);
    }
}
