//! What is dropped rather than waited for.

use std::task::Context;

use antiphon_hub::Since;
use antiphon_model::{Compress, Draft, Kind, Payload};
use antiphon_net::{Client, Close, Outgoing, Stream, StreamOptions};
use antiphon_node::Begins;
use bytes::Bytes;

use crate::client::Socket;
use crate::dialect::{LINES, MESSAGES, channel};
use crate::script::{self, Script, say};
use crate::{Running, Setup, until};

/// `fill <bytes>`, `try <text>`, or else attaches.
fn message(text: &str, client: &Client) {
    match text.split_once(' ') {
        Some(("fill", bytes)) => {
            client.send(Outgoing::Text(&vec![b'f'; bytes.parse().unwrap()]));
            assert!(client.buffered_bytes() > 0);
            // It is not known yet that the socket will not take it all.
            assert!(client.send_volatile(Outgoing::Text(b"with it"), Compress::AsConfigured));
        }
        Some(("try", text)) => {
            let sent = client.send_volatile(Outgoing::Text(text.as_bytes()), Compress::AsConfigured);
            say(client, if sent { "sent" } else { "dropped" });
        }
        _ => {
            client.attach(&channel("a"), Since::Now, &MESSAGES).unwrap();
            say(client, "attached");
        }
    }
}

const FILLING: usize = 32 << 20;

fn start() -> Running {
    let mut setup = Setup { script: Script::new(message), ..Setup::default() };
    setup.net.outbox_bytes_max = 64 << 20;
    setup.start()
}

fn filled(running: &Running) -> Socket {
    let (mut socket, _) = running.scripted("/x/");
    socket.text("attach");
    assert_eq!(socket.next_text(), "attached");
    socket.text("try first");
    assert_eq!([(); 2].map(|()| socket.next_text()), ["first", "sent"]);
    socket.text(&format!("fill {FILLING}"));
    // Written in part: the socket is known to be blocked.
    let waiting = || running.node().metrics().outbox_bytes.get();
    until("it waits", || (1 << 20..FILLING as i64).contains(&waiting()));
    socket
}

#[test]
fn a_blocked_socket_is_not_sent_what_may_be_dropped() {
    let running = start();
    let mut socket = filled(&running);
    socket.text("try second");
    until("it is dropped", || running.drops("volatile") == 1);
    assert_eq!(socket.next_text().len(), FILLING);
    assert_eq!(socket.next_text(), "with it");
    assert_eq!(socket.next_text(), "dropped");
    socket.text("try third");
    assert_eq!([(); 2].map(|()| socket.next_text()), ["third", "sent"]);
    drop(socket);
    running.until_empty();
}

#[test]
fn a_blocked_socket_gets_publications_but_no_signals() {
    let running = start();
    let mut socket = filled(&running);
    let publish = |kind, text: &str| {
        let draft = Draft::new(channel("a"), Payload::Binary(text.to_owned().into()));
        running.publish_draft(Draft { kind, ..draft });
    };
    for (kind, text) in [(Kind::Signal, "1"), (Kind::Message, "2"), (Kind::Signal, "3"), (Kind::Message, "4")]
    {
        publish(kind, text);
    }
    until("two are dropped", || running.drops("volatile") == 2);
    assert_eq!(socket.next_text().len(), FILLING);
    assert_eq!(socket.next_text(), "with it");
    assert_eq!([(); 2].map(|()| socket.next_publication().1), ["2", "4"]);
    socket.text("attach");
    assert_eq!(socket.next_text(), "attached");
    publish(Kind::Signal, "5");
    assert_eq!(socket.next_publication().1, "5");
}

#[test]
fn a_stream_that_nobody_awaits_is_not_sent_what_may_be_dropped() {
    let script = Script::new(|_, client| {
        let farewell = |_: &Close| Bytes::new();
        let options = StreamOptions { protocol: "lines", begins: Begins::Anew, heartbeat: None, farewell };
        let worker = client.worker();
        let mut stream = worker.open_stream(Some(script::caller(worker)), options).unwrap();
        stream.attach(&channel("a"), Since::Now, &LINES).unwrap();
        let send = |stream: &Stream, text: &'static [u8]| {
            stream.send_volatile(Outgoing::Raw(text.into()), Compress::AsConfigured)
        };
        // Nobody has begun to wait, and nobody has taken anything.
        assert!(send(&stream, b"1") && send(&stream, b"2"));
        assert_eq!(stream.queued().concat(), b"12");
        assert!(!send(&stream, b"3"));
        stream.send(Outgoing::Raw("4".into()));
        let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
        assert!(stream.poll_ready(&mut context).is_ready() && !send(&stream, b"5"));
        assert_eq!(stream.queued().concat(), b"4");
        assert!(stream.poll_ready(&mut context).is_pending() && send(&stream, b"6"));
        assert_eq!(stream.queued().concat(), b"6");
        say(client, "done");
    });
    let running = Setup { script, ..Setup::default() }.start();
    let (mut socket, _) = running.scripted("/x/");
    socket.text("stream");
    assert_eq!(socket.next_text(), "done");
    assert_eq!(running.drops("volatile"), 2);
}
