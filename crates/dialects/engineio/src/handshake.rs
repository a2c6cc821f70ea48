//! What a request asks for, and how a session begins or is refused.

mod refusal;
mod sid;

use serde::{Deserialize, Serialize};

use crate::form;
use crate::packet::{BinarySupport, Revision};
use crate::payload::JsonpIndex;
use crate::settings::EngineSettings;

pub use refusal::{Refusal, RefusalCode};
pub use sid::Sid;

/// A way between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// HTTP long polling, JSONP included.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    fn parse(name: &str) -> Option<Transport> {
        match name {
            "polling" => Some(Transport::Polling),
            "websocket" => Some(Transport::WebSocket),
            _ => None,
        }
    }
}

/// What a request's first line and `Upgrade` header make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// An ordinary GET.
    Get,
    /// An ordinary POST.
    Post,
    /// A GET that asks for a WebSocket.
    WebSocket,
    /// Any other method.
    Other,
}

/// A request, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new session is wanted.
    Open {
        /// The revision it speaks.
        revision: Revision,
        /// How its first transport takes bytes.
        binary: BinarySupport,
        /// The transport, and for polling, where the answer goes.
        via: OpenVia,
    },
    /// The client is ready for packets.
    Poll {
        /// Whose.
        sid: Sid,
        /// The callback to answer with, if it is JSONP.
        jsonp: Option<JsonpIndex>,
    },
    /// The client sends packets.
    Post {
        /// Whose.
        sid: Sid,
        /// Whether the body is a form.
        jsonp: Option<JsonpIndex>,
    },
    /// A WebSocket for a session that polls.
    Upgrade {
        /// Whose.
        sid: Sid,
        /// How it takes bytes.
        binary: BinarySupport,
    },
}

/// How a new session is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenVia {
    /// The request is its first poll.
    Polling {
        /// The callback to answer with, if it is JSONP.
        jsonp: Option<JsonpIndex>,
    },
    /// The request becomes its WebSocket.
    WebSocket,
}

impl Request {
    /// Reads a request by its query string, without the `?`.
    ///
    /// Whether there is such a session is for whoever keeps them to say, by [`Refusal::unknown_sid`]; whether it polls, for the
    /// session itself. The last of several parameters of a name counts; unknown ones are ignored.
    ///
    /// # Errors
    /// What the client is to be told instead.
    pub fn parse(kind: RequestKind, query: &str, settings: &EngineSettings) -> Result<Request, Refusal> {
        let query = Query::parse(query)?;
        let transport = query.transport.filter(|transport| settings.allows(*transport));
        let transport = transport.ok_or(Refusal::new(RefusalCode::UnknownTransport))?;
        let revision = match query.revision {
            Some(Revision::V3) if !settings.allow_v3 => None,
            revision => revision,
        };
        let revision = revision.ok_or(Refusal::new(RefusalCode::UnsupportedRevision));
        let (binary, jsonp) = (query.binary, query.jsonp);
        let Some(sid) = query.sid else {
            let via = match (kind, transport) {
                (RequestKind::Post | RequestKind::Other, _) => {
                    return Err(Refusal::new(RefusalCode::BadHandshakeMethod));
                }
                (RequestKind::Get, Transport::Polling) => OpenVia::Polling { jsonp },
                (RequestKind::WebSocket, Transport::WebSocket) => OpenVia::WebSocket,
                (RequestKind::Get, Transport::WebSocket) | (RequestKind::WebSocket, Transport::Polling) => {
                    return Err(Refusal::new(RefusalCode::BadRequest));
                }
            };
            return Ok(Request::Open { revision: revision?, binary, via });
        };
        revision?;
        let sid = Sid::parse(&sid).ok_or_else(Refusal::unknown_sid)?;
        match (kind, transport) {
            (RequestKind::Get, Transport::Polling) => Ok(Request::Poll { sid, jsonp }),
            (RequestKind::Post, Transport::Polling) => Ok(Request::Post { sid, jsonp }),
            (RequestKind::WebSocket, Transport::WebSocket) => Ok(Request::Upgrade { sid, binary }),
            _ => Err(Refusal::new(RefusalCode::BadRequest)),
        }
    }
}

/// The parameters that mean something here.
struct Query {
    revision: Option<Revision>,
    transport: Option<Transport>,
    sid: Option<String>,
    binary: BinarySupport,
    jsonp: Option<JsonpIndex>,
}

impl Query {
    fn parse(query: &str) -> Result<Query, Refusal> {
        let mut read =
            Query { revision: None, transport: None, sid: None, binary: BinarySupport::Native, jsonp: None };
        for (name, value) in form::pairs(query) {
            if !matches!(name, "EIO" | "transport" | "sid" | "b64" | "j") {
                continue;
            }
            let value = form::decoded(value).map_err(|_| Refusal::new(RefusalCode::BadRequest))?;
            match name {
                "EIO" => {
                    read.revision = match &*value {
                        "3" => Some(Revision::V3),
                        "4" => Some(Revision::V4),
                        _ => None,
                    }
                }
                "transport" => read.transport = Transport::parse(&value),
                // An empty one is none, as clients send it that have none.
                "sid" => read.sid = Some(value.into_owned()).filter(|sid| !sid.is_empty()),
                "b64" if !value.is_empty() => read.binary = BinarySupport::Base64,
                "j" => {
                    let index = JsonpIndex::parse(&value).ok_or(Refusal::new(RefusalCode::BadRequest))?;
                    read.jsonp = Some(index);
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The JSON of the open packet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenPacket<'a> {
    sid: &'a str,
    upgrades: &'a [Transport],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: usize,
}

/// Writes the JSON of the open packet of a session that begins with `transport`.
pub fn open_packet(sid: &Sid, transport: Transport, settings: &EngineSettings) -> String {
    let upgrades: &[_] = if settings.upgrades_from(transport) { &[Transport::WebSocket] } else { &[] };
    let packet = OpenPacket {
        sid: sid.as_str(),
        upgrades,
        ping_interval: settings.ping_interval_ms,
        ping_timeout: settings.ping_timeout_ms,
        max_payload: settings.payload_bytes_max,
    };
    serde_json::to_string(&packet).expect("strings and numbers are JSON")
}

#[cfg(test)]
mod tests;
