use std::thread;

use crate::client::{Heard, request};
use crate::{OVER_TLS, Setup, until};

#[test]
fn there_are_so_many_connections_and_no_more() {
    let mut setup = Setup::default();
    setup.net.connections_max = 4;
    let running = setup.start();
    let mut sockets: Vec<_> = (0..4).map(|_| running.open("/")).collect();
    let mut refused = running.socket();
    match OVER_TLS {
        true => assert_eq!(refused.next(), Heard::End),
        false => assert!(refused.head().starts_with("HTTP/1.1 503 ")),
    }
    assert_eq!(running.drops("connections_max"), 1);
    sockets.pop();
    until("one has gone", || running.connections() == 3);
    sockets.push(running.open("/"));
}

#[test]
fn an_org_has_so_many_sessions_and_no_more() {
    let mut setup = Setup::default();
    setup.limits.connections_max = 2;
    let running = setup.start();
    let sockets = [running.open("/"), running.open("/")];
    let mut straight = running.socket();
    straight.write(request("/").as_bytes());
    assert!(straight.head().starts_with("HTTP/1.1 503 "));
    // Over hyper the 101 is out before the session is asked for.
    let mut over_hyper = running.socket();
    over_hyper.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    over_hyper.head();
    over_hyper.write(request("/").as_bytes());
    assert!(over_hyper.head().starts_with("helloHTTP/1.1 101 "));
    assert_eq!(over_hyper.last_words(), [Heard::Close(Some(1013))]);
    let mut stream = running.socket();
    stream.write(b"GET /lines/a HTTP/1.0\r\n\r\n");
    assert!(stream.head().starts_with("HTTP/1.0 503 "));
    drop((sockets, straight, over_hyper, stream));
    running.until_empty();
    running.open("/");
}

#[test]
fn publishers_wait_for_workers_that_fall_behind() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 3000;
    let mut setup = Setup::default();
    setup.hub.inbox_max = 1;
    setup.net.outbox_bytes_max = 64 << 20;
    let running = setup.start();
    let mut listeners: Vec<_> = (0..3).map(|_| running.open("/a")).collect();
    listeners.iter_mut().for_each(|listener| assert_eq!(listener.next_text(), "open"));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let mut socket = running.open("/");
            thread::spawn(move || {
                (0..EACH).for_each(|number| socket.text(&format!("pub a {number}")));
                // The end of a connection is noticed while reading is paused, too.
                drop(socket);
            })
        })
        .collect();
    for listener in &mut listeners {
        let heard: Vec<_> = (0..PUBLISHERS * EACH).map(|_| listener.next_publication().0).collect();
        assert!(heard.is_sorted_by(|a, b| a < b));
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    until("the publishers have gone", || running.connections() == 3);
    drop(listeners);
    running.until_empty();
}

#[test]
fn a_session_listens_to_so_many_channels_once_each() {
    let mut setup = Setup::default();
    setup.limits.subscriptions_per_session_max = 2;
    let running = setup.start();
    let mut socket = running.open("/a");
    assert_eq!(socket.next_text(), "open");
    for (command, answer) in [
        ("sub a 0", "already subscribed to a"),
        ("sub b 0", "open"),
        ("sub c 0", "a session listens to at most 2 channels"),
    ] {
        socket.text(command);
        assert_eq!(socket.next_text(), answer);
    }
}
