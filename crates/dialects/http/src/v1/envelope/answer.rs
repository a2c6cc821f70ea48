//! What the server says, each function one message.

use std::sync::Arc;

use antiphon_hub::{Member, Reply};
use antiphon_model::{Position, Publication, Timestamp};
use antiphon_net::{Gap, ListeningOn};
use antiphon_node::Receipt;

use super::Id;
use crate::routes::broadcast::write_reply;
use crate::routes::presence::write_members;
use crate::wire::{json, message, ndjson};
use antiphon_net::problem::Problem;

/// `{"type":"open",…}`: the first message of all.
pub(crate) fn open(session: u64, identity: &str, position: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"open\",\"session\":\"");
    message::write_digits(session, out);
    out.extend_from_slice(b"\",\"identity\":");
    json::write_string(identity, out);
    position_member(position, out);
    out.push(b'}');
}

/// Done, and nothing more to say.
pub(crate) fn ok(id: &Id, out: &mut Vec<u8>) {
    begin_ok(id, out);
    out.push(b'}');
}

/// A publication is through.
pub(crate) fn published(id: &Id, receipt: Receipt, out: &mut Vec<u8>) {
    begin_ok(id, out);
    position_member(receipt.position, out);
    let stored: &[u8] = if receipt.stored { b",\"stored\":true}" } else { b",\"stored\":false}" };
    out.extend_from_slice(stored);
}

/// A broadcast is out, and replies are collected.
pub(crate) fn broadcast(id: &Id, position: Position, out: &mut Vec<u8>) {
    begin_ok(id, out);
    position_member(position, out);
    out.push(b'}');
}

/// The client listens.
pub(crate) fn subscribed(id: &Id, channels: &[ListeningOn], out: &mut Vec<u8>) {
    begin_ok(id, out);
    out.extend_from_slice(b",\"channels\":[");
    separated(channels, out, |on, out| {
        // Written with a comma before it, for the middle of an object.
        let start = out.len();
        message::write_channel(&on.channel, out);
        out[start] = b'{';
        position_member(on.position, out);
        out.extend_from_slice(if on.gap.is_some() { b",\"gap\":true}" } else { b",\"gap\":false}" });
    });
    out.extend_from_slice(b"]}");
}

/// Publications on a channel are no longer kept.
pub(crate) fn gap(on: &ListeningOn, gap: Gap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"gap\",");
    ndjson::write_gap_members(&on.channel, gap.since, gap.resumed, out);
    out.push(b'}');
}

/// The client goes on with another credential.
pub(crate) fn authenticated(id: &Id, identity: &str, expires: Option<Timestamp>, out: &mut Vec<u8>) {
    begin_ok(id, out);
    out.extend_from_slice(b",\"identity\":");
    json::write_string(identity, out);
    if let Some(expires) = expires {
        out.extend_from_slice(b",\"expires\":");
        message::write_digits(expires.as_secs(), out);
    }
    out.push(b'}');
}

/// Who is on a channel.
pub(crate) fn presence(id: &Id, occupancy: usize, members: &[Member], out: &mut Vec<u8>) {
    begin_ok(id, out);
    out.push(b',');
    write_members(occupancy, members, out);
    out.push(b'}');
}

/// What was published on a channel.
pub(crate) fn history(
    id: &Id,
    messages: &[Arc<Publication>],
    position: Position,
    gap: bool,
    out: &mut Vec<u8>,
) {
    begin_ok(id, out);
    out.extend_from_slice(b",\"messages\":[");
    separated(messages, out, |publication, out| message::write(publication, out));
    out.push(b']');
    position_member(position, out);
    out.extend_from_slice(if gap { b",\"gap\":true}" } else { b",\"gap\":false}" });
}

/// A reply to a broadcast.
pub(crate) fn reply(id: &Id, reply: &Reply, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"reply\"");
    id_member(Some(id), out);
    out.push(b',');
    write_reply(reply, out);
    out.push(b'}');
}

/// No more replies will come.
pub(crate) fn replies_end(id: &Id, complete: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"replies_end\"");
    id_member(Some(id), out);
    out.extend_from_slice(if complete { b",\"complete\":true}" } else { b",\"complete\":false}" });
}

/// The answer to `ping`.
pub(crate) fn pong(id: Option<&Id>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"pong\"");
    id_member(id, out);
    out.push(b'}');
}

/// It is not done.
pub(crate) fn error(id: Option<&Id>, problem: &Problem, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"error\"");
    id_member(id, out);
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(&problem.to_json());
    out.push(b'}');
}

/// The server is about to close the connection.
pub(crate) fn close(reason: &str, reconnect: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"close\",\"reason\":");
    json::write_string(reason, out);
    out.extend_from_slice(if reconnect { b",\"reconnect\":true}" } else { b",\"reconnect\":false}" });
}

fn begin_ok(id: &Id, out: &mut Vec<u8>) {
    // An acknowledged publication, the most frequent answer by far, fits.
    out.reserve(96);
    out.extend_from_slice(b"{\"type\":\"ok\"");
    id_member(Some(id), out);
}

fn id_member(id: Option<&Id>, out: &mut Vec<u8>) {
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        id.write(out);
    }
}

fn position_member(position: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"position\":\"");
    message::write_digits(position.0, out);
    out.push(b'"');
}

fn separated<T>(items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
}

#[cfg(test)]
mod tests;
