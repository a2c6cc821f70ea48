use std::net::Shutdown;

use antiphon_net::websocket::Opcode;

use crate::client::{Heard, frame, request};
use crate::{Setup, until};

#[test]
fn requests_are_answered_one_after_the_other_on_one_connection() {
    let running = Setup::default().start();
    let mut socket = running.socket();
    for _ in 0..3 {
        socket.write(b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12");
        socket.write(b"345");
        assert!(socket.head().starts_with("HTTP/1.1 200 OK"));
        socket.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut head = socket.head();
        assert!(head.remove(0) == '5' && head.starts_with("HTTP/1.1 200 OK"), "{head}");
        socket.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let head = socket.head();
        assert!(head.starts_with("helloHTTP/1.1 200 OK"), "{head}");
        assert_eq!(socket.rest(), "hello");
        socket = running.socket();
    }
    drop(socket);
    running.until_empty();
}

#[test]
fn an_upgrade_in_pieces_goes_over_hyper_and_is_the_same() {
    let running = Setup::default().start();
    let head = request("/a");
    for at in [1, 20, head.len() - 1] {
        let mut socket = running.socket();
        let (first, second) = head.split_at(at);
        let before = running.node().metrics().accepted.get();
        socket.write(first.as_bytes());
        until("the connection is there", || running.node().metrics().accepted.get() >= before);
        // With the end of the head comes the first frame, and a half of the second.
        let frames = [frame(Opcode::Text, b"one"), frame(Opcode::Text, b"two")].concat();
        let (now, later) = frames.split_at(frames.len() - 3);
        std::thread::yield_now();
        socket.write(&[second.as_bytes(), now].concat());
        assert!(socket.head().starts_with("HTTP/1.1 101 "));
        assert_eq!(socket.next_text(), "open");
        assert_eq!(socket.next_publication().1, "one");
        socket.write(later);
        assert_eq!(socket.next_publication().1, "two");
        socket.close(1000);
        assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
    }
    running.until_empty();
}

#[test]
fn an_upgrade_after_another_request_takes_the_frames_that_came_with_it() {
    let running = Setup::default().start();
    let mut socket = running.socket();
    let mut bytes = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    bytes.extend(request("/a").into_bytes());
    (0..50).for_each(|number| bytes.extend(frame(Opcode::Text, format!("{number}").as_bytes())));
    socket.write(&bytes);
    assert!(socket.head().starts_with("HTTP/1.1 200 OK"));
    assert!(socket.head().starts_with("helloHTTP/1.1 101 "));
    assert_eq!(socket.next_text(), "open");
    for number in 0..50 {
        assert_eq!(socket.next_publication().1, number.to_string());
    }
    socket.shutdown(Shutdown::Write);
    assert_eq!(socket.next(), Heard::End);
    drop(socket);
    running.until_empty();
}

#[test]
fn refused_upgrades_are_answered_on_both_ways() {
    let running = Setup::default().start();
    let mut straight = running.socket();
    straight.write(request("/refused").as_bytes());
    assert!(straight.head().starts_with("HTTP/1.1 403 "));
    assert_eq!(straight.rest(), "no");
    let mut over_hyper = running.socket();
    over_hyper.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    over_hyper.head();
    over_hyper.write(request("/refused").as_bytes());
    assert!(over_hyper.head().starts_with("helloHTTP/1.1 403 "));
    let mut wrong = running.socket();
    wrong.write(request("/a").replace("Version: 13", "Version: 12").as_bytes());
    assert!(wrong.head().starts_with("HTTP/1.1 426 "));
    drop((straight, over_hyper, wrong));
    running.until_empty();
}

#[test]
fn a_client_that_goes_away_during_its_upgrade_leaves_nothing() {
    let running = Setup::default().start();
    for _ in 0..50 {
        let mut socket = running.socket();
        socket.write(b"G");
        socket.write(&request("/a").as_bytes()[1..]);
        drop(socket);
        let mut socket = running.socket();
        socket.write(request("/a").as_bytes());
    }
    until("all are accepted", || running.node().metrics().accepted.get() == 100);
    running.until_empty();
}

#[test]
fn a_stream_carries_what_comes_until_its_client_leaves() {
    let running = Setup::default().start();
    let mut publisher = running.open("/");
    let mut streams: Vec<_> = (0..4).map(|_| running.socket()).collect();
    for stream in &mut streams {
        stream.write(b"GET /lines/a,b HTTP/1.0\r\n\r\n");
        stream.head();
        assert_eq!(stream.line(), "open\n");
    }
    for number in 0..100 {
        publisher.text(&format!("pub {} {number}", ["a", "b"][number % 2]));
    }
    for stream in &mut streams {
        for number in 0..100 {
            assert!(stream.line().ends_with(&format!(" {number}\n")));
        }
    }
    assert_eq!(running.sessions("lines"), 4);
    drop(streams);
    until("the streams have ended", || running.sessions("lines") == 0);
    drop(publisher);
    running.until_empty();
}
