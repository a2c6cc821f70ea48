use std::thread;

use antiphon_net::websocket::Opcode;

use crate::client::{Heard, frame, request};
use crate::{Setup, until};

#[test]
fn every_subscriber_hears_everything_in_one_order() {
    const PUBLISHERS: usize = 3;
    const EACH: usize = 400;
    let running = Setup::default().start();
    let mut listeners: Vec<_> = (0..9).map(|_| running.open("/a,b")).collect();
    listeners.iter_mut().for_each(|listener| assert_eq!(listener.next_text(), "open"));
    let publishers = (0..PUBLISHERS).map(|number| {
        let mut socket = running.open("/");
        thread::spawn(move || {
            for count in 0..EACH {
                socket.text(&format!("pub {} {number}.{count}", ["a", "b"][count % 2]));
            }
            socket
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut all = Vec::new();
    for listener in &mut listeners {
        let heard: Vec<_> = (0..PUBLISHERS * EACH).map(|_| listener.next_publication()).collect();
        assert!(heard.is_sorted_by(|a, b| a.0 < b.0), "positions rise");
        all.push(heard);
    }
    assert!(all.iter().all(|heard| *heard == all[0]));
    for number in 0..PUBLISHERS {
        let of_one = all[0].iter().filter(|(_, payload)| payload.starts_with(&format!("{number}.")));
        let of_one: Vec<_> = of_one.map(|(_, payload)| payload.clone()).collect();
        assert_eq!(of_one, (0..EACH).map(|count| format!("{number}.{count}")).collect::<Vec<_>>());
    }
    drop(listeners);
    publishers.into_iter().for_each(|publisher| drop(publisher.join().unwrap()));
    running.until_empty();
}

#[test]
fn each_is_told_what_it_calls_the_channel() {
    let running = Setup::default().start();
    let [mut plain, mut a, mut b] = ["/room", "/", "/"].map(|path| running.open(path));
    assert_eq!(plain.next_text(), "open");
    plain.text("pub room 1");
    assert_eq!(plain.next_publication().1, "1");
    for (socket, label) in [(&mut a, "-a"), (&mut b, "-b")] {
        socket.text(&format!("as room {label}"));
        assert_eq!(socket.next_text(), "open");
        assert_eq!(socket.next_publication().1, format!("1{label}"), "what was missed, too");
    }
    plain.text("pub room 2");
    assert_eq!((a.next_publication().1, b.next_publication().1), ("2-a".into(), "2-b".into()));
    // It takes effect in its turn: nothing is lost or doubled by it.
    a.text("pub room 3");
    a.text("as room -b");
    a.text("pub room 4");
    assert_eq!((a.next_publication().1, a.next_publication().1), ("3-a".into(), "4-b".into()));
    assert_eq!((b.next_publication().1, b.next_publication().1), ("3-b".into(), "4-b".into()));
    for expected in ["2", "3", "4"] {
        assert_eq!(plain.next_publication().1, expected);
    }
}

#[test]
fn many_channels_are_kept_apart() {
    let running = Setup::default().start();
    let mut sockets: Vec<_> = (0..60).map(|number| running.open(&format!("/room{number}"))).collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        assert_eq!(socket.next_text(), "open");
        socket.text(&format!("for {number}"));
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        assert_eq!(socket.next_publication().1, format!("for {number}"));
        socket.close(1000);
        assert_eq!(socket.last_words(), [Heard::Close(Some(1000))], "and nothing of the others");
    }
    running.until_empty();
}

#[test]
fn whoever_is_left_out_hears_the_rest() {
    let running = Setup::default().start();
    let mut publisher = running.open("/a");
    let mut other = running.open("/a");
    assert_eq!((publisher.next_text(), other.next_text()), ("open".into(), "open".into()));
    let commands: Vec<u8> = ["but a 1", "pub a 2", "but a 3", "but a 4", "pub a 5"]
        .iter()
        .flat_map(|command| frame(Opcode::Text, command.as_bytes()))
        .collect();
    publisher.write(&commands);
    let heard: Vec<_> = (0..2).map(|_| publisher.next_publication().1).collect();
    assert_eq!(heard, ["2", "5"]);
    let heard: Vec<_> = (0..5).map(|_| other.next_publication().1).collect();
    assert_eq!(heard, ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_message_of_16_mib_goes_through() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 1 << 20;
    let running = setup.start();
    let mut listeners: Vec<_> = (0..3).map(|_| running.open("/a")).collect();
    listeners.iter_mut().for_each(|listener| assert_eq!(listener.next_text(), "open"));
    let mut publisher = running.open("/a");
    let payload = "x".repeat(16 << 20);
    let sender = payload.clone();
    let publishing = thread::spawn(move || {
        assert_eq!(publisher.next_text(), "open");
        publisher.text(&sender);
        publisher.next_publication().1.len()
    });
    for listener in &mut listeners {
        assert!(listener.next_publication().1 == payload);
    }
    assert_eq!(publishing.join().unwrap(), payload.len());
    drop(listeners);
    running.until_empty();
}

#[test]
fn fragments_and_pings_in_between_are_a_message_and_pongs() {
    use antiphon_net::websocket::FrameStart;
    use antiphon_net::websocket::client::masked_frame;
    let running = Setup::default().start();
    let mut socket = running.open("/a");
    assert_eq!(socket.next_text(), "open");
    let mut bytes = Vec::new();
    let start = FrameStart { opcode: Opcode::Text, fin: false, compressed: false };
    masked_frame(start, b"one ", [9; 4], &mut bytes);
    bytes.extend(frame(Opcode::Ping, b"there?"));
    masked_frame(FrameStart::whole(Opcode::Continuation), b"message", [9; 4], &mut bytes);
    for byte in bytes {
        socket.write(&[byte]);
    }
    assert_eq!(socket.next(), Heard::Pong(b"there?".into()));
    assert_eq!(socket.next_publication().1, "one message");
}

#[test]
fn what_comes_with_the_request_is_read_after_it() {
    let running = Setup::default().start();
    let mut socket = running.socket();
    let mut bytes = request("/a").into_bytes();
    bytes.extend(frame(Opcode::Text, b"early"));
    socket.write(&bytes);
    assert!(socket.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(socket.next_text(), "open");
    assert_eq!(socket.next_publication().1, "early");
}

#[test]
fn five_hundred_connections_come_and_go() {
    let running = Setup::default().start();
    let address = running.server().addresses()[0];
    let threads = (0..5).map(|thread| {
        std::thread::spawn(move || {
            for round in 0..4 {
                let mut sockets: Vec<_> = (0..25)
                    .map(|_| crate::client::Socket::connect(address).upgraded(&format!("/room{thread}")))
                    .collect();
                for socket in &mut sockets {
                    assert_eq!(socket.next_text(), "open");
                }
                sockets[round].text("hello");
                for (number, socket) in sockets.iter_mut().enumerate() {
                    assert_eq!(socket.next_publication().1, "hello");
                    // Some say goodbye, some hang up.
                    if number % 2 == 0 {
                        socket.close(1000);
                        assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
                    }
                }
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    running.until_empty();
    assert_eq!(running.node().metrics().accepted.get(), 500);
    until("no worker listens any more", || {
        let stats = running.node().orgs().next().unwrap().hub.stats();
        stats.fading == stats.channels
    });
}
