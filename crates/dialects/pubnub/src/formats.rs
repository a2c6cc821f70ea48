//! How a publication is written for a subscribe: as an envelope, with what its answer needs to know of it before.
//!
//! The label of a subscription is its subscribe key and, on a line of its own, what the client is subscribed to if that is not the
//! channel itself. Those who share one share the bytes.

use antiphon_model::{ChannelFlags, Kind, Position, Publication};
use antiphon_net::{Format, Label, MessageKind, Messages};

use crate::wire::names::PRESENCE_SUFFIX;
use crate::wire::{json, meta, presence};

/// An envelope behind its position and its length.
pub(crate) static ENVELOPE: Format = Format { name: "pubnub", encode };

/// The region that every timetoken is of. Clients take 0 for none.
pub(crate) const REGION: u8 = 1;

/// Between a subscribe key and what was subscribed to.
const BETWEEN: char = '\n';

/// The label of a subscription.
pub(crate) fn label(subscribe_key: &str, matched: Option<&str>) -> Label {
    match matched {
        None => subscribe_key.into(),
        Some(matched) => format!("{subscribe_key}{BETWEEN}{matched}").into(),
    }
}

fn encode(publication: &Publication, messages: &mut Messages<'_>) {
    let label = messages.label();
    messages.message(MessageKind::Binary, |out| write(publication, label, out));
}

/// Writes an envelope as [`Envelopes`] reads it.
pub(crate) fn write(publication: &Publication, label: &str, out: &mut Vec<u8>) {
    let (subscribe_key, matched) = match label.split_once(BETWEEN) {
        Some((subscribe_key, matched)) => (subscribe_key, Some(matched)),
        None => (label, None),
    };
    out.reserve(HEAD_BYTES + 192 + publication.payload.len());
    out.extend_from_slice(&publication.position.0.to_le_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write_envelope(publication, subscribe_key, matched, out);
    // Payloads are bounded far below that.
    let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

fn write_envelope(publication: &Publication, subscribe_key: &str, matched: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"a\":\"1\",\"f\":0");
    let is_presence = publication.kind == Kind::Presence;
    let event = if is_presence { presence_event(publication) } else { None };
    if !is_presence
        && publication.kind != Kind::Object
        && let Some(publisher) = &publication.publisher
    {
        out.extend_from_slice(b",\"i\":");
        json::string(&publisher.id, out);
    }
    out.extend_from_slice(b",\"p\":{\"t\":\"");
    json::number(publication.position.0, out);
    out.extend_from_slice(b"\",\"r\":");
    json::number(REGION.into(), out);
    out.extend_from_slice(b"},\"k\":");
    json::string(subscribe_key, out);
    out.extend_from_slice(b",\"c\":");
    write_channel(publication, out);
    out.extend_from_slice(b",\"d\":");
    match &event {
        Some(event) => out.extend_from_slice(event.payload.as_bytes()),
        None => json::payload(&publication.payload, out),
    }
    let meta = match &event {
        Some(event) => Some(event.meta.as_str().into()),
        None => meta::of(publication),
    };
    if let Some(meta) = meta {
        out.extend_from_slice(b",\"u\":");
        out.extend_from_slice(meta.as_bytes());
    }
    out.extend_from_slice(b",\"b\":");
    match matched {
        Some(matched) => json::string(matched, out),
        None => write_channel(publication, out),
    }
    if let Some(number) = number(publication.kind) {
        out.extend_from_slice(b",\"e\":");
        json::number(number, out);
    }
    out.push(b'}');
}

/// A presence event in clients' words.
pub(crate) fn presence_event(publication: &Publication) -> Option<presence::Event> {
    let told = publication.payload.to_bytes();
    let told = std::str::from_utf8(&told).ok()?;
    presence::event(publication.name_or_default(), told, publication.channel.name())
}

fn write_channel(publication: &Publication, out: &mut Vec<u8>) {
    let channel = &publication.channel;
    if channel.flags().contains(ChannelFlags::PRESENCE) {
        json::string(&format!("{}{PRESENCE_SUFFIX}", channel.name()), out);
    } else {
        json::string(channel.name(), out);
    }
}

/// What kind of a message it is; none is an ordinary one.
fn number(kind: Kind) -> Option<u64> {
    match kind {
        Kind::Message | Kind::Presence => None,
        Kind::Signal => Some(1),
        Kind::Object => Some(2),
        Kind::Action => Some(3),
        Kind::File => Some(4),
    }
}

/// What stands before an envelope: its position and its length.
const HEAD_BYTES: usize = 12;

/// The envelopes of written bytes, one after the other.
pub(crate) struct Envelopes<'a>(&'a [u8]);

impl<'a> Envelopes<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Envelopes<'a> {
        Envelopes(bytes)
    }
}

impl<'a> Iterator for Envelopes<'a> {
    type Item = (Position, &'a [u8]);

    fn next(&mut self) -> Option<(Position, &'a [u8])> {
        let (position, rest) = self.0.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (envelope, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = rest;
        Some((Position(u64::from_le_bytes(*position)), envelope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelId, Draft, Identity, IdentityKind, Payload, RawJson};
    use std::sync::Arc;

    fn draft(channel: ChannelId, payload: &'static str) -> Draft {
        let publisher = Some(Arc::new(Identity::new(IdentityKind::User, "ann")));
        Draft { publisher, ..Draft::new(Arc::new(channel), Payload::from_text(payload.into())) }
    }

    fn room() -> ChannelId {
        ChannelId::new("room", ChannelFlags::NONE).unwrap()
    }

    fn written(draft: Draft, label: &Label) -> String {
        let publication = draft.at(Position(17));
        let mut bytes = Vec::new();
        for _ in 0..2 {
            write(&publication, label, &mut bytes);
        }
        let mut envelopes: Vec<_> = Envelopes::of(&bytes).collect();
        assert_eq!(envelopes.len(), 2);
        assert_eq!(envelopes[0], envelopes[1]);
        let (position, envelope) = envelopes.remove(0);
        assert_eq!(position, Position(17));
        serde_json::from_slice::<serde_json::Value>(envelope).unwrap();
        String::from_utf8(envelope.to_vec()).unwrap()
    }

    #[test]
    fn an_envelope_has_what_clients_ask_for() {
        let plain = written(draft(room(), "{\"text\":\"hi\"}"), &label("demo", None));
        assert_eq!(
            plain,
            r#"{"a":"1","f":0,"i":"ann","p":{"t":"17","r":1},"k":"demo","c":"room","d":{"text":"hi"},"b":"room"}"#
        );
        let mut signal = draft(room(), "typing");
        signal.kind = Kind::Signal;
        signal.meta = Some(RawJson::from_serializer("{\"x\":1}"));
        assert_eq!(
            written(signal, &label("demo", Some("gr"))),
            r#"{"a":"1","f":0,"i":"ann","p":{"t":"17","r":1},"k":"demo","c":"room","d":"typing","u":{"x":1},"b":"gr","e":1}"#
        );
    }

    #[test]
    fn kinds_have_numbers_and_objects_no_publisher() {
        for (kind, expected) in [(Kind::Object, 2), (Kind::Action, 3), (Kind::File, 4)] {
            let envelope = written(Draft { kind, ..draft(room(), "{}") }, &label("demo", None));
            let envelope: serde_json::Value = serde_json::from_str(&envelope).unwrap();
            assert_eq!(envelope["e"], expected);
            assert_eq!(envelope.get("i").is_some(), kind != Kind::Object);
        }
    }

    #[test]
    fn presence_is_told_in_other_words() {
        let mut join = draft(room().presence(), r#"{"identity":"ann","occupancy":1,"timestamp":5}"#);
        join.kind = Kind::Presence;
        join.name = Some("join".into());
        let envelope = written(join, &label("demo", Some("gr-pnpres")));
        let envelope: serde_json::Value = serde_json::from_str(&envelope).unwrap();
        assert_eq!(envelope["c"], "room-pnpres");
        assert_eq!(envelope["b"], "gr-pnpres");
        assert_eq!(envelope["d"]["action"], "join");
        assert_eq!(envelope["u"]["pn_channel"], "room");
        assert!(envelope.get("i").is_none() && envelope.get("e").is_none());
    }

    #[test]
    fn what_is_cut_off_ends_the_envelopes() {
        let mut bytes = Vec::new();
        write(&draft(room(), "1").at(Position(3)), "demo", &mut bytes);
        for cut in 0..bytes.len() {
            assert_eq!(Envelopes::of(&bytes[..cut]).count(), 0);
        }
    }
}
