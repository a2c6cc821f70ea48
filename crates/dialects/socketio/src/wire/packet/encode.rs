use bytes::Bytes;

use super::{AckId, Body, Kind, Packet, Version};
use crate::wire::namespace::Namespace;

impl Packet {
    /// The text of the packet, without Engine.IO's message type before it.
    ///
    /// What `version` has no place for is left out: version 4 the payload of a CONNECT, version 5 its query.
    pub fn encode(&self, version: Version) -> Bytes {
        let mut out = Vec::new();
        self.encode_into(version, &mut out);
        out.into()
    }

    /// As [`Packet::encode`], behind what is there. Says where its JSON begins.
    pub(crate) fn encode_into(&self, version: Version, out: &mut Vec<u8>) -> usize {
        let query = match (&self.body, version) {
            (Body::Connect { query, .. }, Version::V4) => query.as_deref(),
            _ => None,
        };
        let payload = match (&self.body, version) {
            (Body::Connect { .. }, Version::V4) => &[],
            _ => self.json().map_or(&[][..], |json| json.as_bytes()),
        };
        let header = Header {
            kind: Kind::of(&self.body),
            attachments: self.attachments(),
            namespace: &self.namespace,
            query,
            ack: self.ack(),
        };
        header.write(payload.len(), out);
        let json = out.len();
        out.extend_from_slice(payload);
        json
    }
}

/// What stands before the payload.
pub(crate) struct Header<'a> {
    pub(crate) kind: Kind,
    pub(crate) attachments: usize,
    pub(crate) namespace: &'a Namespace,
    pub(crate) query: Option<&'a str>,
    pub(crate) ack: Option<AckId>,
}

impl Header<'_> {
    /// A text that begins with the header and has room for so many bytes more.
    pub(crate) fn begin(&self, room: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(room, &mut out);
        out
    }

    /// Appends the header, and has room for so many bytes more.
    fn write(&self, room: usize, out: &mut Vec<u8>) {
        /// Type, number of attachments, dash, question mark, comma and id.
        const MARKS: usize = 48;
        let namespace = self.namespace.as_str();
        let query = self.query.map_or(0, str::len);
        out.reserve(MARKS + namespace.len() + query + room);
        out.push(self.kind.digit());
        if self.kind.is_binary() {
            out.extend_from_slice(self.attachments.to_string().as_bytes());
            out.push(b'-');
        }
        if !self.namespace.is_root() || self.query.is_some() {
            out.extend_from_slice(namespace.as_bytes());
            if let Some(query) = self.query {
                out.push(b'?');
                out.extend_from_slice(query.as_bytes());
            }
            out.push(b',');
        }
        if let Some(ack) = self.ack {
            out.extend_from_slice(ack.to_string().as_bytes());
        }
    }
}
