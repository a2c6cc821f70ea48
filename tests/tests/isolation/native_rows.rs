//! The operations of the native protocol, and what each needs.

use antiphon_tests::{Api, Call, WebSocket};
use http::Method;

use crate::told::Told;
use crate::world::{GONE, KEPT, World};

/// An operation, in one of the ways in which it can be asked for.
pub(crate) struct Row {
    /// As the OpenAPI document has it.
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    /// JSON; nothing is sent if it is empty.
    pub(crate) body: &'static str,
    pub(crate) needs: &'static [&'static str],
    pub(crate) takes: Takes,
    /// The status for who may.
    pub(crate) answered: u16,
    /// The status for another org's identity, which is in its own org and finds nothing.
    pub(crate) foreign: u16,
}

/// What sort of answer there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Whole,
    /// Of `HEAD`: no body.
    Head,
    /// Each publication is refused for itself.
    Batch,
    /// It goes on, as this media type.
    Stream(&'static str),
    /// A WebSocket, of this subprotocol.
    Socket(Option<&'static str>),
}

use Takes::{Batch, Head, Socket, Stream, Whole};

const SSE: Takes = Stream("text/event-stream");
const NDJSON: Takes = Stream("application/x-ndjson");
const RAW: Takes = Socket(None);
const V1: Takes = Socket(Some("antiphon.v1"));

const CHANNEL: &str = "/v1/channels/{channel}";
const EVENTS: &str = "/v1/events";
const BROADCASTS: &str = "/v1/channels/{channel}/broadcasts";
const REPLIES: &str = "/v1/channels/{channel}/broadcasts/{position}/replies";
const PRESENCE: &str = "/v1/channels/{channel}/presence";
const CREDENTIALS: &str = "/v1/credentials";
const CREDENTIAL: &str = "/v1/credentials/{kind}/{name}";
const REVOCATIONS: &str = "/v1/revocations";
const DOCUMENT: &str = "/v1/openapi.json";

const PUBLISH: &[&str] = &["publish"];
const SUBSCRIBE: &[&str] = &["subscribe"];
const HISTORY: &[&str] = &["history"];
const SEE: &[&str] = &["presence"];
const BOTH: &[&str] = &["subscribe", "presence"];
const ADMIN: &[&str] = &["admin"];

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("POST", CHANNEL, "", "1", PUBLISH, Whole, 201, 201),
    row("POST", CHANNEL, "idempotency=1&identity=ann", "1", PUBLISH, Whole, 201, 201),
    row("POST", CHANNEL, "kind=signal", "1", PUBLISH, Whole, 201, 201),
    row("POST", CHANNEL, "system=true", "1", ADMIN, Whole, 201, 201),
    row("GET", CHANNEL, "", "", HISTORY, Whole, 200, 200),
    row("GET", CHANNEL, "limit=1&event=message", "", HISTORY, Whole, 200, 200),
    row("GET", CHANNEL, "since=0", "", SUBSCRIBE, Whole, 200, 200),
    row("GET", CHANNEL, "since={position}&wait=1ms", "", SUBSCRIBE, Whole, 200, 200),
    row("GET", CHANNEL, "wait=1ms", "", SUBSCRIBE, Whole, 200, 200),
    row("GET", CHANNEL, "since=0&presence=true", "", BOTH, Whole, 200, 200),
    row("GET", CHANNEL, "", "", SUBSCRIBE, SSE, 200, 200),
    row("GET", CHANNEL, "since=0", "", SUBSCRIBE, NDJSON, 200, 200),
    row("GET", CHANNEL, "presence=true", "", BOTH, NDJSON, 200, 200),
    row("GET", CHANNEL, "join=true&state=1", "", BOTH, SSE, 200, 200),
    row("GET", CHANNEL, "", "", SUBSCRIBE, RAW, 101, 101),
    row("GET", CHANNEL, "since=0", "", SUBSCRIBE, V1, 101, 101),
    row("GET", CHANNEL, "presence=true", "", BOTH, V1, 101, 101),
    row("HEAD", CHANNEL, "", "", HISTORY, Head, 200, 200),
    row("HEAD", CHANNEL, "since=0", "", SUBSCRIBE, Head, 200, 200),
    row("GET", EVENTS, "channel={channel}", "", HISTORY, Whole, 200, 200),
    row("GET", EVENTS, "channel={channel}&since=0", "", SUBSCRIBE, Whole, 200, 200),
    row("GET", EVENTS, "channel={channel}&wait=1ms", "", SUBSCRIBE, Whole, 200, 200),
    row("GET", EVENTS, "channel={channel}", "", SUBSCRIBE, SSE, 200, 200),
    row("GET", EVENTS, "channel={channel}", "", SUBSCRIBE, NDJSON, 200, 200),
    row("GET", EVENTS, "channel={channel}", "", SUBSCRIBE, RAW, 101, 101),
    row("GET", EVENTS, "channel={channel}&presence=true", "", BOTH, V1, 101, 101),
    row("HEAD", EVENTS, "channel={channel}", "", HISTORY, Head, 200, 200),
    row("POST", "/v1/publications", "", r#"[{"channel":"{channel}","payload":1}]"#, PUBLISH, Batch, 200, 200),
    row("POST", BROADCASTS, "timeout=1", "1", PUBLISH, Whole, 200, 200),
    row("POST", REPLIES, "", "1", SUBSCRIBE, Whole, 202, 404),
    row("GET", PRESENCE, "", "", SEE, Whole, 200, 200),
    row("HEAD", PRESENCE, "", "", SEE, Head, 200, 200),
    row("PUT", PRESENCE, "ttl=30s", "1", SEE, Whole, 200, 200),
    row("DELETE", PRESENCE, "", "", SEE, Whole, 200, 200),
    row("GET", CREDENTIALS, "", "", ADMIN, Whole, 200, 200),
    row("HEAD", CREDENTIALS, "", "", ADMIN, Head, 200, 200),
    row("DELETE", CREDENTIAL, "", "", ADMIN, Whole, 200, 404),
    row("POST", CREDENTIALS, "replace=true", r#"{"kind":"device","name":"{name}","secret":"a-new-secret"}"#, ADMIN, Whole, 201, 201),
    row("GET", REVOCATIONS, "", "", ADMIN, Whole, 200, 200),
    row("HEAD", REVOCATIONS, "", "", ADMIN, Head, 200, 200),
    row("POST", REVOCATIONS, "", r#"{"identity":"{name}"}"#, ADMIN, Whole, 201, 201),
    row("GET", DOCUMENT, "", "", &[], Whole, 200, 200),
    row("HEAD", DOCUMENT, "", "", &[], Head, 200, 200),
];

#[allow(clippy::too_many_arguments)]
const fn row(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    body: &'static str,
    needs: &'static [&'static str],
    takes: Takes,
    answered: u16,
    foreign: u16,
) -> Row {
    Row { method, path, query, body, needs, takes, answered, foreign }
}

/// What is asked for: something of [`crate::world::ACME`], or what there is nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) channel: &'static str,
    pub(crate) device: &'static str,
    pub(crate) position: String,
}

impl Names {
    pub(crate) fn kept(world: &World) -> Names {
        Names { channel: KEPT, device: "spare", position: world.broadcast.clone() }
    }

    /// As long as the others.
    pub(crate) fn gone(world: &World) -> Names {
        let position = world.broadcast.parse::<u64>().unwrap() - 7;
        Names { channel: GONE, device: "scare", position: position.to_string() }
    }

    pub(crate) fn all(&self) -> [&str; 3] {
        [self.channel, self.device, &self.position]
    }

    fn fill(&self, text: &str) -> String {
        let filled = text.replace("{channel}", self.channel).replace("{position}", &self.position);
        filled.replace("{kind}", "device").replace("{name}", self.device)
    }
}

impl Row {
    /// Asks, and gives what is told.
    pub(crate) async fn ask(&self, api: &Api, names: &Names) -> Told {
        match self.takes {
            Socket(protocol) => {
                let token = api.token().map(|token| format!("&token={token}")).unwrap_or_default();
                let target = format!("{}{token}", self.target(names));
                Told::handshake(WebSocket::connect(api.address(), &target, protocol, &[]).await)
            }
            Stream(media) => {
                let call = || self.call(api, names).header("accept", media);
                Told::by_first_line(call(), call()).await
            }
            Whole | Head | Batch => Told::by(self.call(api, names)).await,
        }
    }

    /// How a failure calls it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}?{} ({:?})", self.method, self.path, self.query, self.takes)
    }

    fn call(&self, api: &Api, names: &Names) -> Call {
        let method: Method = self.method.parse().unwrap();
        let call = api.call(method, &self.target(names));
        if self.body.is_empty() { call } else { call.body("application/json", names.fill(self.body)) }
    }

    fn target(&self, names: &Names) -> String {
        names.fill(&format!("{}?{}", self.path, self.query))
    }
}
