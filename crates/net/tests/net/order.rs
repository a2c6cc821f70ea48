//! In what order things come that are sent in different ways.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use antiphon_hub::Since;
use antiphon_model::{Draft, Payload};
use antiphon_net::{Client, Close, Workers};

use crate::client::Heard;
use crate::dialect::{MESSAGES, channel, want};
use crate::script::{Script, say};
use crate::{Running, Setup, StopOnDrop};

fn publish(client: &Client, name: &str, text: &str) {
    client.publish(Draft::new(channel(name), Payload::Binary(text.to_owned().into())), 0).unwrap();
}

/// `both <text>` publishes on `a` and sends; others do what they say.
fn message(text: &str, client: &Client) {
    match text.split_once(' ') {
        Some(("both", text)) => {
            publish(client, "a", &format!("published {text}"));
            say(client, &format!("sent {text}"));
        }
        Some(("leave", text)) => {
            publish(client, "a", text);
            assert!(client.unlisten(&channel("a")));
            assert!(!client.listens_to(&channel("a")));
            say(client, "left");
        }
        Some(("close", text)) => {
            publish(client, "a", text);
            say(client, "before");
            client.close(Close { code: 4000, reason: "asked".into(), reconnect: false });
            assert!(!client.is_open());
            say(client, "after");
        }
        _ => {
            client.attach(&channel("a"), Since::Now, &MESSAGES).unwrap();
            say(client, "attached");
        }
    }
}

fn start(workers: usize) -> Running {
    let mut setup = Setup { workers, script: Script::new(message), ..Setup::default() };
    // What comes is read when all is sent.
    setup.net.outbox_bytes_max = 64 << 20;
    setup.start()
}

/// Without the position, if it is a publication.
fn text(heard: Heard) -> String {
    let Heard::Text(text) = heard else { panic!("{heard:?}") };
    match text.split_once(' ') {
        Some((position, text)) if position.len() > 10 => text.into(),
        _ => text,
    }
}

#[test]
fn what_is_sent_comes_after_what_was_published_before_it() {
    let running = start(2);
    let (mut socket, _) = running.scripted("/x/");
    socket.text("attach");
    assert_eq!(socket.next_text(), "attached");
    for number in 0..200 {
        socket.text(&format!("both {number}"));
    }
    for number in 0..200 {
        assert_eq!(text(socket.next()), format!("published {number}"));
        assert_eq!(text(socket.next()), format!("sent {number}"));
    }
    socket.text("leave now");
    assert_eq!(text(socket.next()), "now");
    assert_eq!(text(socket.next()), "left");
    socket.text("attach");
    assert_eq!(socket.next_text(), "attached");
    socket.text("close then");
    let heard: Vec<_> = socket.last_words().into_iter().collect();
    assert_eq!(heard.len(), 4, "{heard:?}");
    let mut heard = heard.into_iter();
    assert_eq!([(); 3].map(|()| text(heard.next().unwrap())), ["then", "before", "closing 4000"]);
    assert_eq!(heard.next(), Some(Heard::Close(Some(4000))));
    drop(socket);
    running.until_empty();
    assert_eq!(running.script.ended(), 1);
}

/// A session that begins to listen while what it was sent before has to wait: for code that was put into its worker's inbox.
#[test]
fn what_is_sent_after_listening_comes_after_what_was_sent_before() {
    let message = |_: &str, client: &Client| {
        let worker = client.worker();
        worker.workers().run(worker.id(), |_| {});
        for text in ["first", "second"] {
            say(client, text);
        }
        client.try_listen(&[want("b", Since::Now, &MESSAGES)]).unwrap().unwrap();
        say(client, "third");
    };
    let running = Setup { workers: 2, script: Script::new(message), ..Setup::default() }.start();
    let (mut socket, _) = running.scripted("/x/");
    socket.text("go");
    assert_eq!([(); 3].map(|()| socket.next_text()), ["first", "second", "third"]);
}

/// What other threads send and publish, and what the session publishes and sends itself, each in its own order.
#[test]
fn every_thread_has_its_order() {
    const EACH: usize = 3000;
    for workers in [1, 2] {
        let running = start(workers);
        let (mut socket, address) = running.scripted("/x/");
        socket.text("attach");
        assert_eq!(socket.next_text(), "attached");
        let stop = AtomicBool::new(false);
        let names = ["b", "c"];
        thread::scope(|scope| {
            let _stops = StopOnDrop(&stop);
            for name in names {
                let (running, workers) = (&running, running.server().workers().clone());
                scope.spawn(move || {
                    for number in 0..EACH {
                        send(&workers, address, format!("run {name} {number}"));
                        running.publish("a", format!("publish {name} {number}"));
                    }
                });
            }
            // On its own worker another session, which makes that worker publish and deliver in the midst of messages.
            scope.spawn(|| {
                let (mut other, _) = running.scripted("/x/");
                while !stop.load(Ordering::Relaxed) {
                    other.text("both other");
                    while !other.next_text().starts_with("sent") {}
                }
            });
            for number in 0..EACH {
                socket.text(&format!("both {number}"));
            }
            let (mut own, mut others) = (0, [0, 0]);
            while own < 2 * EACH || others != [2 * EACH; 2] {
                let heard = text(socket.next());
                let words: Vec<&str> = heard.split(' ').collect();
                match words[..] {
                    ["published", "other"] => {}
                    [how @ ("published" | "sent"), number] => {
                        let expected = ["published", "sent"][own % 2];
                        assert_eq!((how, number.parse()), (expected, Ok(own / 2)));
                        own += 1;
                    }
                    [how, name, number] => {
                        let seen = &mut others[usize::from(name == names[1])];
                        let expected = ["run", "publish"][*seen % 2];
                        assert_eq!((how, number.parse()), (expected, Ok(*seen / 2)), "{name}");
                        *seen += 1;
                    }
                    _ => panic!("{heard}"),
                }
            }
        });
    }
}

fn send(workers: &Workers, address: antiphon_net::ClientAddress, text: String) {
    workers.run(address.worker(), move |worker| {
        let client = worker.client(address).expect("it is there");
        say(&client, &text);
    });
}

#[test]
fn what_is_given_to_a_worker_that_has_stopped_is_dropped() {
    let mut running = start(2);
    let workers = running.server().workers().clone();
    assert_eq!(workers.ids().count(), 2);
    let (sender, receiver) = std::sync::mpsc::channel();
    let back = sender.clone();
    workers.run(antiphon_hub::WorkerId(1), move |worker| {
        let current = antiphon_net::Worker::current().map(|worker| worker.id());
        back.send((worker.id(), current)).unwrap();
    });
    let id = antiphon_hub::WorkerId(1);
    assert_eq!(receiver.recv(), Ok((id, Some(id))));
    assert!(antiphon_net::Worker::current().is_none());
    assert!(running.stop(crate::PATIENCE));
    for id in [1, 7] {
        let sender = sender.clone();
        workers.run(antiphon_hub::WorkerId(id), move |_| drop(sender));
    }
    drop(sender);
    assert!(receiver.recv().is_err(), "nobody holds a sender any more");
}
