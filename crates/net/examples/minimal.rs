//! A whole server with a dialect of its own in one file: WebSocket clients of `/any/path` meet on the channel of that
//! name, and get each other's messages as they are; with `?quiet` they only send.
//!
//! `cargo run --release --package antiphon-net --example minimal -- 127.0.0.1:8080 1`; with `tls` behind it, over TLS with a
//! certificate of its own.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Access, OrgSettings};
use antiphon_hub::{Rule, Rules, Since};
use antiphon_model::{ChannelFlags, ChannelId, Draft, OrgId, Payload, Publication};
use antiphon_net::tls::{self, Oldest};
use antiphon_net::{
    Accept, Client, Endpoint, Format, Listen, MessageKind, Messages, NetSettings, Peer, Server, ServerParts,
    Upgrade, Want, WebSocketSession, Worker,
};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_store::{MemoryStore, StoreSettings};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{NoClientAuth, ResolvesServerCertUsingSni};
use rustls::sign::CertifiedKey;

/// What each subscriber gets: the payload and nothing else.
static RAW: Format = Format { name: "raw", encode: raw };

fn raw(publication: &Publication, messages: &mut Messages<'_>) {
    let kind = match publication.payload {
        Payload::Binary(_) => MessageKind::Binary,
        Payload::Json(_) | Payload::Text(_) | Payload::Arguments(_) => MessageKind::Text,
    };
    messages.bytes(kind, &publication.payload.to_bytes());
}

struct Meeting;

impl Endpoint for Meeting {
    type Body = Full<Bytes>;

    fn upgrade(&self, request: &Parts, _: &[&str], _: &Peer, worker: &Worker) -> Upgrade {
        let name = request.uri.path().trim_start_matches('/');
        let Ok(channel) = ChannelId::new(name, ChannelFlags::NONE) else {
            return Upgrade::Refuse(Response::new("the path is the channel".into()));
        };
        match worker.node().access().authenticate(None, None, worker.now().wall) {
            Err(error) => Upgrade::Refuse(Response::new(error.to_string().into())),
            Ok(caller) => {
                let quiet = request.uri.query() == Some("quiet");
                let guest = Guest { channel: Arc::new(channel), quiet };
                Upgrade::Accept(Accept::new(Some(Arc::new(caller)), Box::new(guest)))
            }
        }
    }

    async fn call(
        self: Rc<Self>,
        _: Request<hyper::body::Incoming>,
        _: Peer,
        _: Worker,
    ) -> Response<Full<Bytes>> {
        Response::new(Full::new("connect with a WebSocket\n".into()))
    }
}

struct Guest {
    channel: Arc<ChannelId>,
    quiet: bool,
}

impl WebSocketSession for Guest {
    fn handle_open(&mut self, client: &Client) {
        if self.quiet {
            return;
        }
        let channel = Arc::clone(&self.channel);
        let want =
            Want { channel, since: Since::Now, format: &RAW, filter: None, presence: false, label: None };
        if let Some(Err(error)) = client.try_listen(&[want]) {
            eprintln!("cannot listen: {error}");
        }
    }

    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client) {
        let bytes = Bytes::copy_from_slice(data);
        let payload = match kind {
            MessageKind::Text => Payload::from_text(bytes),
            MessageKind::Binary => Payload::Binary(bytes),
        };
        if let Err(error) = client.publish(Draft::new(Arc::clone(&self.channel), payload), 0) {
            eprintln!("cannot publish: {error}");
        }
    }
}

/// TLS with a certificate for `localhost` that nobody has signed.
fn encryption() -> Result<Arc<rustls::ServerConfig>, Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let key = tls::provider().key_provider.load_private_key(key)?;
    let mut resolver = ResolvesServerCertUsingSni::new();
    resolver.add("localhost", CertifiedKey::new(vec![made.cert.der().clone()], key))?;
    Ok(Arc::new(tls::server_config(Arc::new(resolver), Arc::new(NoClientAuth), Oldest::Tls12)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into()).parse()?;
    let workers = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let org = OrgSettings { name: "demo".into(), open: true, ..OrgSettings::default() };
    let access = Access::load(vec![org])?;
    let rule = Rule { persist: false, ..Rule::default() };
    let tls = arguments.next().map(|_| encryption()).transpose()?;
    let listen = vec![Listen { address: listen, tls }];
    let parts = ServerParts { settings: NetSettings::default(), listen, workers };
    let store = Arc::new(MemoryStore::new(&StoreSettings::default())?);
    let node = |inputs: antiphon_net::NodeInputs| {
        let parts = NodeParts {
            settings: NodeSettings::default(),
            access,
            store,
            orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
            inboxes: Vec::new(),
            on_earlier: Box::new(|| {}),
        };
        Node::new(inputs.into_parts(parts), SystemClock::start())
    };
    let server = Server::start(parts, node, |_| Meeting)?;
    println!("listening on http://{}", server.addresses()[0]);
    loop {
        std::thread::park();
    }
}
