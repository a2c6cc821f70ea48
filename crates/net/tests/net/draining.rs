use std::thread;
use std::time::Duration;

use crate::client::{Heard, request};
use crate::{PATIENCE, Setup, until};

#[test]
fn everybody_is_told_and_what_is_under_way_finishes() {
    let mut running = Setup::default().start();
    let mut sockets: Vec<_> = (0..9).map(|_| running.open("/a")).collect();
    sockets.iter_mut().for_each(|socket| assert_eq!(socket.next_text(), "open"));
    let mut stream = running.socket();
    stream.write(b"GET /lines/a HTTP/1.0\r\n\r\n");
    stream.head();
    assert_eq!(stream.line(), "open\n");
    let mut idle = running.socket();
    idle.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    idle.head();
    let mut silent = running.socket();
    let mut undecided = running.socket();
    undecided.write(b"PRI");
    let mut busy = running.socket();
    busy.write(b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n");
    until("the request is there", || running.gate.entered.available_permits() == 1);
    until("all are connected", || running.connections() == 14);

    let gate = running.gate.clone();
    let address = running.server().addresses()[0];
    let stopping = thread::spawn(move || running.stop(PATIENCE));
    for mut socket in sockets {
        assert_eq!(socket.last_words(), [Heard::Text("closing 1012".into()), Heard::Close(Some(1012))]);
    }
    assert_eq!(stream.rest(), "bye 1012\n");
    assert_eq!(idle.rest(), "hello");
    assert_eq!((silent.rest(), undecided.rest()), (String::new(), String::new()));
    drop((stream, idle, silent, undecided));
    gate.open.add_permits(1);
    assert!(busy.head().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(busy.rest(), "through");
    drop(busy);
    assert!(stopping.join().unwrap(), "all were through in time");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn upgrades_are_refused_on_connections_that_are_still_there() {
    let mut running = Setup { workers: 1, ..Setup::default() }.start();
    let mut busy = running.socket();
    busy.write(b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n");
    until("the request is there", || running.gate.entered.available_permits() == 1);
    let mut witness = running.open("/");
    let gate = running.gate.clone();
    let stopping = thread::spawn(move || running.stop(PATIENCE));
    witness.last_words();
    gate.open.add_permits(1);
    busy.write(request("/a").as_bytes());
    assert!(busy.head().starts_with("HTTP/1.1 200 OK"));
    // The connection ends with the answer that was under way.
    assert_eq!(busy.rest(), "through");
    drop((busy, witness));
    assert!(stopping.join().unwrap());
}

#[test]
fn what_is_not_through_by_the_deadline_is_cut_off() {
    let mut running = Setup::default().start();
    let mut busy = running.socket();
    busy.write(b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n");
    until("the request is there", || running.gate.entered.available_permits() == 1);
    assert!(!running.stop(Duration::from_millis(50)));
}
