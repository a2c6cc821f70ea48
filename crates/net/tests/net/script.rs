//! A dialect that does what a test says.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use antiphon_access::Caller;
use antiphon_net::{
    Accept, Client, ClientAddress, Close, Endpoint, MessageKind, Outgoing, Peer, Upgrade, WebSocketSession,
    Worker,
};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;

type Decide = dyn Fn(&Parts, &Worker, Box<dyn WebSocketSession>) -> Upgrade + Send + Sync;
type Message = dyn Fn(&str, &Client) + Send + Sync;
type Call = dyn Fn(Parts, Worker) -> LocalBoxFuture<'static, Response<Bytes>> + Send + Sync;

/// What the dialect does, and what it saw.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) decide: Arc<Decide>,
    pub(crate) message: Arc<Message>,
    pub(crate) call: Arc<Call>,
    /// Every session that began; each is told its number: `hello 17`.
    pub(crate) clients: Arc<Mutex<Vec<ClientAddress>>>,
    /// How many connections have ended.
    pub(crate) ended: Arc<AtomicUsize>,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            decide: Arc::new(|_, worker, session| {
                Upgrade::Accept(Accept::new(Some(caller(worker)), session))
            }),
            message: Arc::new(|_, _| {}),
            call: Arc::new(|parts, _| {
                Box::pin(async move { Response::new(parts.uri.path().to_owned().into()) })
            }),
            clients: Arc::default(),
            ended: Arc::default(),
        }
    }
}

impl Script {
    /// Does this with every text.
    pub(crate) fn new(message: impl Fn(&str, &Client) + Send + Sync + 'static) -> Script {
        Script { message: Arc::new(message), ..Script::default() }
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Anybody.
pub(crate) fn caller(worker: &Worker) -> Arc<Caller> {
    Arc::new(worker.node().access().authenticate(None, None, worker.now().wall).unwrap())
}

pub(crate) fn say(client: &Client, text: &str) {
    client.send(Outgoing::Text(text.as_bytes()));
}

pub(crate) struct Scripted {
    script: Script,
}

impl Scripted {
    pub(crate) fn new(script: Script) -> Scripted {
        Scripted { script }
    }
}

impl Endpoint for Scripted {
    type Body = Full<Bytes>;

    fn upgrade(&self, request: &Parts, _: &[&str], _: &Peer, worker: &Worker) -> Upgrade {
        (self.script.decide)(request, worker, Box::new(Session { script: self.script.clone(), ended: false }))
    }

    async fn call(
        self: Rc<Self>,
        request: Request<hyper::body::Incoming>,
        _: Peer,
        worker: Worker,
    ) -> Response<Self::Body> {
        (self.script.call)(request.into_parts().0, worker).await.map(Full::new)
    }
}

struct Session {
    script: Script,
    ended: bool,
}

impl WebSocketSession for Session {
    fn handle_open(&mut self, client: &Client) {
        self.script.clients.lock().unwrap().push(client.address());
        say(client, &format!("hello {}", client.session().0));
    }

    fn handle_message(&mut self, _: MessageKind, data: &[u8], client: &Client) {
        (self.script.message)(std::str::from_utf8(data).unwrap(), client);
    }

    fn handle_closing(&mut self, close: &Close, client: &Client) {
        say(client, &format!("closing {}", close.code));
    }

    fn handle_ended(&mut self) {
        assert!(!std::mem::replace(&mut self.ended, true), "once");
        self.script.ended.fetch_add(1, Ordering::SeqCst);
    }
}
