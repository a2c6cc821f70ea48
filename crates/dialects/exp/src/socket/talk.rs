use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Session;
use antiphon_engineio::{CloseMode, CloseReason, Conversation, Data, Link, SendOptions};
use antiphon_model::Timestamp;
use antiphon_socketio::{Body, DecodeError, Decoder, EventData, Limits, Message, Packet, Version};
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::listener::Listener;
use super::subscribe::channel_ids;
use crate::exp::Shared;

/// How long a client waits for its earlier subscriptions before it is told that it is connected: if the store does not answer they
/// come later.
const RESTORED_WITHIN: Duration = Duration::from_secs(2);

/// The bytes of a packet with its attachments: what a client may have the server keep that sends some, which no SDK does.
const PACKET_BYTES_MAX: usize = 1_000_000;

/// What hears a client: its packets, one after the other.
pub(super) struct Talk {
    decoder: Decoder,
    ids_max: usize,
    speaker: Speaker,
    /// Whether it has said that it leaves.
    leaves: bool,
}

/// Who speaks.
enum Speaker {
    /// A member of an org.
    Member(Rc<Listener>),
    /// A device that is not paired, and may listen to nothing. Its socket ends with its token.
    Stranger(JoinHandle<()>),
}

impl Talk {
    /// Connects a client, with what it listened to before.
    pub(super) fn begin(shared: Arc<Shared>, link: &Link, session: Session) -> Talk {
        let ids_max = shared.settings.ids_per_subscribe_max;
        let speaker = match session.caller {
            Some(caller) => {
                let listener = Rc::new(Listener::new(shared, link.clone(), caller, session.connection));
                connect(&listener);
                Speaker::Member(listener)
            }
            None => {
                greet(link);
                Speaker::Stranger(end_at(link, session.expires))
            }
        };
        let limits = Limits { packet_bytes_max: PACKET_BYTES_MAX, ..Limits::default() };
        Talk { decoder: Decoder::new(Version::V4, limits), ids_max, speaker, leaves: false }
    }

    fn decode(&mut self, data: Data) -> Result<Option<Message>, DecodeError> {
        match data {
            Data::Text(text) => self.decoder.handle_text(&text.into_bytes()),
            Data::Binary(bytes) => self.decoder.handle_binary(bytes),
        }
    }

    /// A packet came. What is nothing to EXP is ignored, also what would have been acknowledged: the SDKs ask for no such thing.
    fn handle_packet(&mut self, packet: Packet, link: &Link) {
        if !packet.namespace.is_root() {
            return;
        }
        match packet.body {
            Body::Event { data, .. } if data.name() == "subscribe" => self.handle_subscribe(&data, link),
            Body::Disconnect => {
                self.leaves = true;
                link.close(CloseMode::Orderly);
            }
            _ => {}
        }
    }

    fn handle_subscribe(&self, event: &EventData, link: &Link) {
        let granted = match &self.speaker {
            Speaker::Member(listener) => listener.subscribe(channel_ids(event, self.ids_max)),
            Speaker::Stranger(_) => Vec::new(),
        };
        send(link, |out| {
            out.extend_from_slice(br#"2["subscribed","#);
            serde_json::to_writer(&mut *out, &granted).expect("strings are JSON, and a vector takes it");
            out.push(b']');
        });
    }
}

impl Conversation for Talk {
    fn handle_message(&mut self, data: Data, link: &Link) {
        if self.leaves {
            return;
        }
        match self.decode(data) {
            Ok(Some(message)) => self.handle_packet(message.packet, link),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a client of EXP sends what is no packet");
                self.leaves = true;
                link.close(CloseMode::Orderly);
            }
        }
    }

    fn handle_closed(&mut self, _reason: CloseReason, _link: &Link) {
        match &self.speaker {
            Speaker::Member(listener) => listener.leave(),
            Speaker::Stranger(end) => end.abort(),
        }
    }
}

/// Gives a client back what it listened to, and then tells it that it is connected: clients that subscribe once only count on it from
/// there on.
fn connect(listener: &Rc<Listener>) {
    let Some(read) = listener.enter() else { return greet(listener.link()) };
    let mut read = Box::pin(read);
    if let Some(ids) = (&mut read).now_or_never() {
        listener.handle_read(ids);
        return greet(listener.link());
    }
    let listener = Rc::clone(listener);
    tokio::task::spawn_local(async move {
        match tokio::time::timeout(RESTORED_WITHIN, &mut read).await {
            Ok(ids) => {
                listener.handle_read(ids);
                greet(listener.link());
            }
            Err(_) => {
                greet(listener.link());
                let ids = read.await;
                listener.handle_read(ids);
            }
        }
    });
}

/// Tells a client that it is connected.
fn greet(link: &Link) {
    send(link, |out| out.extend_from_slice(b"0"));
}

fn send(link: &Link, write: impl FnOnce(&mut Vec<u8>)) {
    // What a client that is gone or does not read is not sent is the transport's business.
    let _ = link.send_text(SendOptions::default(), write);
}

/// Ends a session at a time, if it is there still.
fn end_at(link: &Link, at: Timestamp) -> JoinHandle<()> {
    let (address, worker) = (link.address(), link.worker().clone());
    let left = Duration::from_nanos(at.0.saturating_sub(worker.now().wall.0).saturating_mul(100));
    tokio::task::spawn_local(async move {
        tokio::time::sleep(left).await;
        if let Some(link) = address.link(&worker) {
            link.close(CloseMode::Discard);
        }
    })
}
