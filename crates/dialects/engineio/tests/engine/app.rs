//! An application that echoes, and does what some messages ask for.
//!
//! `!close`, `!discard`: ends the session. `!burst <n>`: sends `1` to `n`. `!fill <bytes>`: sends so much. `!listen <channel>`.
//! `!publish <channel> <text>`. `!volatile <text>`. `!plain <text>`: sends it never to be compressed.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use antiphon_access::Caller;
use antiphon_engineio::encode::{binary_into, text_into};
use antiphon_engineio::{
    Application, CloseMode, CloseReason, Conversation, Data, Denied, Encoding, Handshake, Link, SendOptions,
};
use antiphon_hub::Since;
use antiphon_model::{ChannelFlags, ChannelId, Compress, Draft, Payload, Publication};
use antiphon_net::{Format, MessageKind, Messages, Worker};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use http::StatusCode;

use crate::PATIENCE;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Waits for a line.
    pub(crate) fn until(&self, line: &str) {
        let late = Instant::now() + PATIENCE;
        while !self.lines().iter().any(|one| one == line) {
            assert!(Instant::now() < late, "{line:?} is not among {:?}", self.lines());
            std::thread::yield_now();
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) struct TestApp {
    pub(crate) log: Log,
}

impl Application for TestApp {
    fn admit(
        &self,
        handshake: &Arc<Handshake>,
        worker: &Worker,
    ) -> LocalBoxFuture<'static, Result<Option<Arc<Caller>>, Denied>> {
        let caller = worker.node().access().authenticate(None, None, worker.now().wall).unwrap();
        let admitted = match handshake.parameter("admit").as_deref() {
            Some("no") => Err(Denied::new("not you")),
            Some("teapot") => Err(Denied::default().with_status(StatusCode::IM_A_TEAPOT)),
            _ => Ok(Some(Arc::new(caller))),
        };
        match handshake.headers.get("x-slow") {
            None => ready(admitted).boxed_local(),
            Some(_) => async move {
                tokio::task::yield_now().await;
                admitted
            }
            .boxed_local(),
        }
    }

    fn open(&self, link: &Link) -> Box<dyn Conversation> {
        if let Some(greeting) = link.handshake().parameter("greet") {
            link.send(Data::Text((&*greeting).into()), SendOptions::default()).unwrap();
        }
        self.log.note("open");
        Box::new(Echo { log: self.log.clone() })
    }

    fn format(&self, _format: &'static Format, to: Encoding) -> &'static Format {
        &FORMATS[to.index()]
    }
}

struct Echo {
    log: Log,
}

impl Conversation for Echo {
    fn handle_message(&mut self, data: Data, link: &Link) {
        let words: Vec<&str> = match &data {
            Data::Text(text) => text.splitn(3, ' ').collect(),
            Data::Binary(_) => Vec::new(),
        };
        let number = |word: &str| word.parse().unwrap();
        match words[..] {
            ["!close"] => link.close(CloseMode::Orderly),
            ["!discard"] => link.close(CloseMode::Discard),
            ["!burst", count] => (1..=number(count)).for_each(|n| send(link, &n.to_string())),
            ["!fill", bytes] => {
                let sent =
                    link.send_text(SendOptions::default(), |out| out.resize(out.len() + number(bytes), b'x'));
                self.log.note(format!("fill: {sent:?}"));
            }
            ["!listen", name] => {
                let format = &FORMATS[link.encoding().index()];
                link.client().attach(&channel(name), Since::Now, format).unwrap();
                send(link, "listening");
            }
            ["!publish", name, text] => {
                let payload = Payload::Binary(Bytes::copy_from_slice(text.as_bytes()));
                link.client().publish(Draft::new(channel(name), payload), 0).unwrap();
            }
            ["!volatile", text] => {
                let options = SendOptions { volatile: true, ..SendOptions::default() };
                let sent = link.send(Data::Text(text.into()), options);
                self.log.note(format!("volatile: {sent:?}"));
            }
            ["!plain", text] => {
                let options = SendOptions { compress: Compress::Never, ..SendOptions::default() };
                link.send(Data::Text(text.into()), options).unwrap();
            }
            _ => match link.send(data, SendOptions::default()) {
                Ok(_) => {}
                Err(error) => self.log.note(format!("{error:?}")),
            },
        }
    }

    fn handle_upgraded(&mut self, link: &Link) {
        assert!(matches!(link.encoding(), Encoding::WebSocket(..)));
        self.log.note("upgraded");
    }

    fn handle_closed(&mut self, reason: CloseReason, link: &Link) {
        assert!(!link.is_open());
        assert!(link.send(Data::Text("late".into()), SendOptions::default()).is_err());
        self.log.note(reason.as_str());
    }
}

fn send(link: &Link, text: &str) {
    link.send(Data::Text(text.into()), SendOptions::default()).unwrap();
}

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

/// A publication is two messages: its text, and a byte.
static FORMATS: [Format; 7] =
    [format::<0>(), format::<1>(), format::<2>(), format::<3>(), format::<4>(), format::<5>(), format::<6>()];

const fn format<const INDEX: usize>() -> Format {
    Format { name: "test", encode: write::<INDEX> }
}

fn write<const INDEX: usize>(publication: &Publication, messages: &mut Messages<'_>) {
    let encoding = Encoding::ALL[INDEX];
    messages.message(MessageKind::Text, |out| {
        text_into(encoding, out, |out| out.extend_from_slice(&publication.payload.to_bytes()));
    });
    messages.message(encoding.binary_kind(), |out| binary_into(encoding, out, &[7]));
}
