//! A dialect for tests. The path says to what a WebSocket or a stream listens: `/a,b`, `?since=` from where.
//!
//! A text message is a command: `pub <channel> <payload>`, `but <channel> <payload>` (to all others), `sig <channel> <payload>`, `sub <channel> <since>`, `unsub <channel>`,
//! `close <code>`, `send <bytes>`. Anything else is published on the first channel.

use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::Since;
use antiphon_model::{ChannelFlags, ChannelId, Draft, Kind, Payload, Position, Publication};
use antiphon_net::{
    Accept, Client, Close, Endpoint, Format, MessageKind, Messages, Outgoing, Peer, StreamBody,
    StreamOptions, Upgrade, Want, WebSocketSession, Worker,
};
use antiphon_node::{Begins, PublishError, Receipt};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full};
use tokio::sync::Semaphore;

/// What holds back requests for `/gate` until the test lets them through.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Semaphore>,
    pub(crate) open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate { entered: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }
}

/// `<position> <payload>`.
pub(crate) static MESSAGES: Format =
    Format { name: "messages", encode: |publication, messages| encode(publication, "", messages) };
pub(crate) static LINES: Format =
    Format { name: "lines", encode: |publication, messages| encode(publication, "\n", messages) };

fn encode(publication: &Publication, end: &str, messages: &mut Messages<'_>) {
    let label = messages.label();
    messages.message(MessageKind::Text, |out| {
        out.extend_from_slice(format!("{} ", publication.position).as_bytes());
        out.extend_from_slice(&publication.payload.to_bytes());
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(end.as_bytes());
    });
}

pub(crate) fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

pub(crate) fn want(name: &str, since: Since, format: &'static Format) -> Want {
    Want { channel: channel(name), since, format, filter: None, presence: false, label: None }
}

fn wants(uri: &Uri, path: &str, format: &'static Format) -> Vec<Want> {
    let since = uri
        .query()
        .and_then(|query| query.strip_prefix("since="))
        .map_or(Since::Now, |since| Since::After(since.parse().unwrap()));
    path.split(',').filter(|name| !name.is_empty()).map(|name| want(name, since, format)).collect()
}

pub(crate) struct Dialect {
    gate: Gate,
}

impl Dialect {
    pub(crate) fn new(gate: Gate) -> Dialect {
        Dialect { gate }
    }
}

impl Endpoint for Dialect {
    type Body = Either<Full<Bytes>, StreamBody>;

    fn upgrade(&self, request: &Parts, _: &[&str], _: &Peer, worker: &Worker) -> Upgrade {
        let path = request.uri.path().trim_start_matches('/');
        if path == "refused" {
            return Upgrade::Refuse(Response::builder().status(403).body("no".into()).unwrap());
        }
        let caller = Arc::new(worker.node().access().authenticate(None, None, worker.now().wall).unwrap());
        let wants = wants(&request.uri, path, &MESSAGES);
        Upgrade::Accept(Accept::new(Some(caller), Box::new(Session { wants })))
    }

    async fn call(
        self: Rc<Self>,
        request: Request<hyper::body::Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<Self::Body> {
        let plain = |text: &str| Response::new(Either::Left(Full::from(text.to_owned())));
        let (parts, body) = request.into_parts();
        if let Some(names) = parts.uri.path().strip_prefix("/lines/") {
            return lines(&worker, wants(&parts.uri, names, &LINES)).await;
        }
        match parts.uri.path() {
            "/gate" => {
                self.gate.entered.add_permits(1);
                self.gate.open.acquire().await.unwrap().forget();
                plain("through")
            }
            "/peer" => {
                let shown = peer.certificate.as_ref().map(|shown| shown.chain[0].as_ref());
                plain(&format!("{} {shown:?}", peer.tls))
            }
            "/length" => plain(&body.collect().await.unwrap().to_bytes().len().to_string()),
            _ => plain("hello"),
        }
    }
}

async fn lines(worker: &Worker, wants: Vec<Want>) -> Response<Either<Full<Bytes>, StreamBody>> {
    let caller = Arc::new(worker.node().access().authenticate(None, None, worker.now().wall).unwrap());
    let farewell = |close: &Close| format!("bye {}\n", close.code).into();
    let stream = worker.open_stream(
        Some(caller),
        StreamOptions { protocol: "lines", begins: Begins::Anew, heartbeat: None, farewell },
    );
    let Ok(stream) = stream else {
        let mut response = Response::new(Either::Left(Full::default()));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    };
    let listening = stream.listen(wants).await.unwrap();
    stream.send(Outgoing::Raw("open\n".into()));
    stream.send_publications(&listening);
    Response::new(Either::Right(stream.into_body()))
}

struct Session {
    wants: Vec<Want>,
}

impl WebSocketSession for Session {
    fn handle_open(&mut self, client: &Client) {
        if !self.wants.is_empty() {
            begin(client.clone(), self.wants.clone());
        }
    }

    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client) {
        let text = match kind {
            MessageKind::Text => std::str::from_utf8(data).unwrap(),
            MessageKind::Binary => "",
        };
        let mut words = text.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("pub"), Some(name), Some(payload)) => publish(client, name, payload.as_bytes(), |_| {}),
            (Some("sig"), Some(name), Some(payload)) => {
                publish(client, name, payload.as_bytes(), |draft| draft.kind = Kind::Signal);
            }
            (Some("but"), Some(name), Some(payload)) => {
                let session = client.session();
                publish(client, name, payload.as_bytes(), |draft| draft.except = Some(session));
            }
            (Some("sub"), Some(name), Some(since)) => {
                let since = Since::After(Position(since.parse().unwrap()));
                begin(client.clone(), vec![want(name, since, &MESSAGES)]);
            }
            (Some("as"), Some(name), Some(label)) => {
                let label = Some(label.into());
                if !client.relabel(&channel(name), label.clone()) {
                    let want = want(name, Since::After(Position::ZERO), &MESSAGES);
                    begin(client.clone(), vec![Want { label, ..want }]);
                }
            }
            (Some("unsub"), Some(name), None) => {
                client.unlisten(&channel(name));
            }
            (Some("close"), Some(code), None) => {
                client.close(Close { code: code.parse().unwrap(), reason: "asked".into(), reconnect: false });
            }
            (Some("send"), Some(bytes), None) => {
                client.send(Outgoing::Text(&vec![b's'; bytes.parse().unwrap()]));
            }
            _ => {
                let name = self.wants.first().map_or("none", |want| want.channel.name()).to_owned();
                publish(client, &name, data, |_| {});
            }
        }
    }

    fn handle_published(&mut self, _: u64, result: Result<Receipt, PublishError>, client: &Client) {
        client.send(Outgoing::Text(if result.is_ok() { b"stored" } else { b"not stored" }));
    }

    fn handle_closing(&mut self, close: &Close, client: &Client) {
        client.send(Outgoing::Text(format!("closing {}", close.code).as_bytes()));
    }
}

fn publish(client: &Client, name: &str, payload: &[u8], change: impl FnOnce(&mut Draft)) {
    let mut draft = Draft::new(channel(name), Payload::Binary(Bytes::copy_from_slice(payload)));
    change(&mut draft);
    if let Err(error) = client.publish(draft, 0) {
        client.send(Outgoing::Text(error.to_string().as_bytes()));
    }
}

/// Listens, from memory at once and else in a task: `open`, or why not.
fn begin(client: Client, wants: Vec<Want>) {
    let done = |client: &Client, listening: Result<antiphon_net::Listening, antiphon_net::ListenError>| {
        match listening {
            Ok(listening) => {
                let gap = listening.channels.iter().any(|on| on.gap.is_some());
                client.send(Outgoing::Text(if gap { b"open with a gap" } else { b"open" }));
                client.send_publications(&listening);
            }
            Err(error) => client.send(Outgoing::Text(error.to_string().as_bytes())),
        }
    };
    match client.try_listen(&wants) {
        Some(listening) => done(&client, listening),
        None => client.clone().spawn(async move { done(&client, client.listen(wants).await) }),
    }
}
