//! Sessions that begin as streams and go over to a WebSocket.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Context;
use std::thread;

use antiphon_hub::{Since, WorkerId};
use antiphon_model::{Compress, Draft, Payload, Position};
use antiphon_net::{
    Accept, Client, Close, Format, MessageKind, Messages, Outgoing, Stream, StreamOptions, Upgrade, Worker,
};
use antiphon_node::Begins;
use antiphon_store::{SqliteStore, StoreSettings};
use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::client::{Heard, Socket};
use crate::dialect::{LINES, MESSAGES, channel, want};
use crate::script::{self, Script, say};
use crate::{Running, Setup, StopOnDrop, until};

/// The streams of a worker, by the number of their session.
#[derive(Default)]
struct Streams(RefCell<HashMap<u64, Stream>>);

fn streams(worker: &Worker) -> Rc<Streams> {
    worker.extension().unwrap_or_else(|| {
        let streams = Rc::<Streams>::default();
        worker.set_extension(Rc::clone(&streams));
        streams
    })
}

/// `/x/open/<channels>` opens a stream and says where: `<worker>/<number>`; `/x/poll/<worker>/<number>` takes what it has.
async fn call(parts: Parts, worker: Worker) -> Response<Bytes> {
    let words: Vec<&str> = parts.uri.path().split('/').skip(2).collect();
    let text = match words[..] {
        ["open", channels] => {
            let farewell = |close: &Close| format!("bye {}\n", close.code).into();
            let options =
                StreamOptions { protocol: "lines", begins: Begins::Anew, heartbeat: None, farewell };
            let stream = worker.open_stream(Some(script::caller(&worker)), options).unwrap();
            for name in channels.split(',').filter(|name| !name.is_empty()) {
                stream.attach(&channel(name), Since::Now, &LINES).unwrap();
            }
            let place = format!("{}/{}", worker.id().0, stream.session().0);
            streams(&worker).0.borrow_mut().insert(stream.session().0, stream);
            place
        }
        ["poll", home, number] => {
            let (sender, taken) = tokio::sync::oneshot::channel();
            let number: u64 = number.parse().unwrap();
            worker.workers().run(WorkerId(home.parse().unwrap()), move |worker| {
                let streams = streams(worker);
                let taken = streams.0.borrow_mut().get_mut(&number).map(Stream::queued);
                sender.send(taken.unwrap_or_default().concat()).unwrap();
            });
            String::from_utf8(taken.await.unwrap()).unwrap()
        }
        _ => panic!("{}", parts.uri),
    };
    Response::new(text.into())
}

/// `/x/over/<worker>/<number>`
fn decide(parts: &Parts, worker: &Worker, session: Box<dyn antiphon_net::WebSocketSession>) -> Upgrade {
    match parts.uri.path().split('/').nth(3).map(|home| WorkerId(home.parse().unwrap())) {
        Some(home) if home != worker.id() => Upgrade::Elsewhere(home),
        _ => Upgrade::Accept(Accept::new(None, session)),
    }
}

fn to_messages(pieces: Vec<Bytes>, messages: &mut Messages<'_>) {
    for piece in pieces {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            messages.bytes(MessageKind::Text, line.strip_suffix(b"\n").expect("whole lines"));
        }
    }
}

fn to_websocket(format: &'static Format) -> &'static Format {
    if std::ptr::eq(format, &LINES) { &MESSAGES } else { format }
}

fn over(number: &str, client: &Client) -> Client {
    let stream = streams(client.worker()).0.borrow_mut().remove(&number.parse().unwrap()).unwrap();
    let (address, session) = (stream.address(), stream.session());
    let before = client.session();
    let Ok(over) = client.take_over(stream, to_messages, to_websocket) else { panic!("not taken over") };
    assert_eq!((over.address(), over.session()), (address, session));
    assert_ne!(before, session);
    assert!(!client.is_open() && client.worker().client(address).is_some());
    over
}

fn message(text: &str, client: &Client) {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["over", number] => {
            say(client, "before");
            over(number, client);
        }
        // What was published and sent by this thread right before is not in the outbox yet, or is.
        ["over", number, text] => {
            let stream = streams(client.worker()).0.borrow().get(&number.parse().unwrap()).unwrap().address();
            let stream = client.worker().client(stream).unwrap();
            publish(&stream, "a", text);
            stream.send(Outgoing::Raw(format!("0 after {text}\n").into()));
            let client = over(number, client);
            say(&client, "0 taken over");
        }
        ["close", number] => {
            let streams = streams(client.worker());
            let streams = streams.0.borrow();
            let stream = &streams[&number.parse().unwrap()];
            stream.send(Outgoing::Raw("0 last\n".into()));
            stream.close(Close { code: 4001, reason: "asked".into(), reconnect: false });
        }
        ["recover", number, since] => recover(number, since.parse().unwrap(), client),
        ["say", text] => say(client, text),
        _ => panic!("{text}"),
    }
}

fn publish(client: &Client, name: &str, text: &str) {
    client.publish(Draft::new(channel(name), Payload::Binary(text.to_owned().into())), 0).unwrap();
}

/// The stream begins to read the store, and goes over before it is done.
fn recover(number: &str, since: u64, client: &Client) {
    let at = number.parse().unwrap();
    let stream = streams(client.worker()).0.borrow()[&at].address();
    let stream = client.worker().client(stream).unwrap();
    let begin = || {
        let listening = stream.clone();
        Box::pin(async move {
            let wants = vec![want("a", Since::After(Position(since)), &LINES)];
            let begun = listening.attach_all(wants).await.unwrap();
            listening.send_at_once(Outgoing::Text(b"0 begun"), Compress::AsConfigured);
            listening.send_publications(&begun);
        })
    };
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    let mut begun = begin();
    // Where it was done at once there is nothing to be seen.
    while begun.as_mut().poll(&mut context).is_ready() {
        streams(client.worker()).0.borrow_mut().get_mut(&at).unwrap().queued();
        assert!(stream.unlisten(&channel("a")));
        begun = begin();
    }
    over(number, client);
    stream.spawn(begun);
}

fn setup() -> Setup {
    let script = Script {
        decide: Arc::new(decide),
        call: Arc::new(|parts, worker| Box::pin(call(parts, worker))),
        ..Script::new(message)
    };
    Setup { workers: 2, script, ..Setup::default() }
}

/// Asks for a path on a connection of its own; what is answered.
fn ask(running: &Running, path: &str) -> String {
    let mut socket = running.socket();
    socket.write(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
    assert!(socket.head().starts_with("HTTP/1.1 200 OK"));
    socket.rest()
}

/// A WebSocket on the worker of a stream.
fn beside(running: &Running, place: &str) -> (Socket, String) {
    let (socket, address) = running.scripted(&format!("/x/over/{place}"));
    let (home, number) = place.split_once('/').unwrap();
    assert_eq!(address.worker().0.to_string(), home);
    (socket, number.to_owned())
}

fn number(line: &str) -> usize {
    line.split_once(' ').unwrap().1.trim_start_matches("after ").parse().unwrap()
}

#[test]
fn under_traffic_nothing_is_lost_doubled_or_out_of_order() {
    /// How far the publisher may be ahead: what waits has to fit into an outbox.
    const AHEAD: usize = 2000;
    let running = setup().start();
    for round in 0..20 {
        let place = ask(&running, "/x/open/a,b");
        let heard = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let (lines, count) = thread::scope(|scope| {
            let publishing = scope.spawn(|| {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    if count < heard.load(Ordering::Relaxed) + AHEAD {
                        running.publish(["a", "b"][count % 2], count.to_string());
                        count += 1;
                    }
                }
                running.publish("a", "end");
                count
            });
            let _stops = StopOnDrop(&stop);
            let mut lines: Vec<usize> = Vec::new();
            for _ in 0..round {
                let polled = ask(&running, &format!("/x/poll/{place}"));
                lines.extend(polled.lines().map(number));
                heard.store(lines.len(), Ordering::Relaxed);
            }
            let (mut socket, number_of) = beside(&running, &place);
            socket.text(&format!("over {number_of}"));
            assert_eq!(socket.next_text(), "before");
            for _ in 0..AHEAD / 2 {
                lines.push(number(&socket.next_text()));
                heard.store(lines.len(), Ordering::Relaxed);
            }
            stop.store(true, Ordering::Relaxed);
            let texts = std::iter::repeat_with(|| socket.next_text());
            lines.extend(texts.take_while(|text| !text.ends_with(" end")).map(|text| number(&text)));
            (lines, publishing.join().unwrap())
        });
        assert_eq!(lines, (0..count).collect::<Vec<_>>());
        until("the stream is gone", || running.sessions("lines") == 0);
    }
    running.until_empty();
}

#[test]
fn what_waits_is_carried_over_however_much_it_is() {
    let mut setup = setup();
    setup.net.outbox_bytes_max = 8 << 20;
    let running = setup.start();
    let place = ask(&running, "/x/open/a");
    let long = "x".repeat(3000);
    for number in 0..2000 {
        running.publish("a", format!("{number} {long}"));
    }
    let waiting = || running.node().metrics().outbox_bytes.get();
    until("it waits", || waiting() > 6_000_000);
    let (mut socket, number) = beside(&running, &place);
    socket.text(&format!("over {number}"));
    assert_eq!(socket.next_text(), "before");
    for number in 0..2000 {
        let (_, text) = socket.next_publication();
        assert_eq!(text.strip_suffix(&long), Some(&*format!("{number} ")));
    }
    // Its messages come to the same connection from here on, by whomever, and go to the session that was carried over.
    socket.text("say hello");
    assert_eq!(socket.next_text(), "hello");
    drop(socket);
    running.until_empty();
    assert_eq!(running.script.ended(), 1);
}

#[test]
fn what_this_thread_published_and_sent_right_before_is_in_its_place() {
    let running = setup().start();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stops = StopOnDrop(&stop);
        // Tasks that lie in the inbox when it happens.
        let workers = running.server().workers();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                workers.ids().for_each(|id| workers.run(id, |_| {}));
                thread::yield_now();
            }
        });
        for count in 0..200 {
            let place = ask(&running, "/x/open/a");
            let (mut socket, number) = beside(&running, &place);
            socket.text(&format!("over {number} {count}"));
            assert_eq!(socket.next_publication().1, count.to_string());
            assert_eq!(socket.next_text(), format!("0 after {count}"));
            assert_eq!(socket.next_text(), "0 taken over");
        }
    });
    running.until_empty();
}

#[test]
fn a_session_that_is_about_to_close_says_what_it_has_and_closes() {
    let running = setup().start();
    let place = ask(&running, "/x/open/a");
    running.publish("a", "1");
    let (mut socket, number) = beside(&running, &place);
    socket.text(&format!("close {number}"));
    socket.text(&format!("over {number}"));
    assert_eq!(socket.next_text(), "before");
    assert_eq!(socket.next_publication().1, "1");
    assert_eq!(socket.next_text(), "0 last");
    assert_eq!(socket.last_words(), [Heard::Text("closing 4001".into()), Heard::Close(Some(4001))]);
    drop(socket);
    running.until_empty();
}

#[test]
fn a_session_that_reads_the_store_meanwhile_hears_it_on_the_websocket() {
    // Read on a thread of the store's, so that it takes its time.
    let directory = tempfile::tempdir().unwrap();
    let mut setup = setup();
    setup.store = Arc::new(SqliteStore::open(directory.path(), &StoreSettings::default()).unwrap());
    setup.rule.persist = true;
    setup.rule.ring_size = 1;
    setup.rule.history_size = 100;
    let running = setup.start();
    let mut witness = running.open("/a");
    assert_eq!(witness.next_text(), "open");
    for number in 0..50 {
        running.publish("a", number.to_string());
        witness.next_publication();
    }
    let place = ask(&running, "/x/open/");
    let (mut socket, number) = beside(&running, &place);
    socket.text(&format!("recover {number} 1"));
    assert_eq!(socket.next_text(), "0 begun");
    for number in 0..50 {
        assert_eq!(socket.next_publication().1, number.to_string());
    }
    running.publish("a", "live");
    assert_eq!(socket.next_publication().1, "live");
    drop((socket, witness));
    running.until_empty();
}

#[test]
fn a_websocket_that_closes_takes_nothing_over() {
    let closing = Script::new(|number, client| {
        let stream = streams(client.worker()).0.borrow_mut().remove(&number.parse().unwrap()).unwrap();
        client.close(Close { code: 4000, reason: "".into(), reconnect: false });
        let Err(mut stream) = client.take_over(stream, to_messages, to_websocket) else { panic!("taken") };
        assert_eq!(stream.queued().concat().split(|byte| *byte == b' ').nth(1), Some(&b"1\n"[..]));
        assert!(stream.is_open());
    });
    let script = Script { message: closing.message, ..setup().script };
    let running = Setup { script, ..setup() }.start();
    let place = ask(&running, "/x/open/a");
    running.publish("a", "1");
    until("it waits", || running.node().metrics().outbox_bytes.get() > 0);
    let (mut socket, number) = beside(&running, &place);
    socket.text(&number);
    assert_eq!(socket.last_words(), [Heard::Text("closing 4000".into()), Heard::Close(Some(4000))]);
    drop(socket);
    running.until_empty();
}
