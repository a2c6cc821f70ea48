//! Answers of HTTP/1.1 that go on: once their head is written they are the worker's own.

use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::client::Socket;
use crate::{PATIENCE, Running, Setup, until};

fn stream(running: &Running, channels: &str) -> Socket {
    let mut socket = running.socket();
    socket.write(format!("GET /lines/{channels} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    let head = socket.head();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(chunk(&mut socket), "open\n");
    socket
}

/// The next chunk; nothing is the last.
fn chunk(socket: &mut Socket) -> String {
    let length = socket.line();
    let length = usize::from_str_radix(length.trim_end(), 16).unwrap();
    let mut bytes = socket.exactly(length + 2);
    assert_eq!(bytes.split_off(length), b"\r\n");
    String::from_utf8(bytes).unwrap()
}

/// The next lines, whatever chunks they come in.
fn lines(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let chunk = chunk(socket);
        assert!(chunk.ends_with('\n'), "{chunk:?}");
        lines.extend(chunk.lines().map(str::to_owned));
    }
    assert_eq!(lines.len(), count);
    lines
}

#[test]
fn all_that_is_published_comes_in_order() {
    let running = Setup::default().start();
    let mut publisher = running.open("/");
    let mut streams: Vec<_> =
        ["a,b", "b,a", "a,b", "a,b"].iter().map(|names| stream(&running, names)).collect();
    for number in 0..100 {
        publisher.text(&format!("pub {} {number}", ["a", "b"][number % 2]));
        if number == 50 {
            // By then they are not hyper's any more, and what comes meanwhile is lost on no way.
            for stream in &mut streams {
                for (number, line) in lines(stream, 51).iter().enumerate() {
                    assert!(line.ends_with(&format!(" {number}")), "{line}");
                }
            }
        }
    }
    for stream in &mut streams {
        for (number, line) in lines(stream, 49).iter().enumerate() {
            assert!(line.ends_with(&format!(" {}", number + 51)), "{line}");
        }
    }
    assert_eq!(running.sessions("lines"), 4);
    let mut left = streams.pop().unwrap();
    left.shutdown(Shutdown::Write);
    drop(streams);
    until("the streams have ended", || running.sessions("lines") == 0);
    assert!(left.ends());
    drop((publisher, left));
    running.until_empty();
}

#[test]
fn the_end_is_told_and_ends_the_connection() {
    let mut running = Setup::default().start();
    let mut listener = stream(&running, "a");
    // Another request behind it is for nobody: there is no answer after this one.
    listener.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut publisher = running.open("/");
    publisher.text("pub a one");
    assert_eq!(lines(&mut listener, 1).len(), 1);
    let stopping = thread::spawn(move || running.stop(PATIENCE));
    assert_eq!(chunk(&mut listener), "bye 1012\n");
    assert_eq!(chunk(&mut listener), "");
    assert!(listener.ends());
    drop((listener, publisher));
    assert!(stopping.join().unwrap(), "all were through in time");
}

#[test]
fn what_was_missed_comes_before_what_is_live() {
    let running = Setup::default().start();
    let mut publisher = running.open("/a");
    assert_eq!(publisher.next_text(), "open");
    for number in 0..3 {
        publisher.text(&format!("pub a {number}"));
        publisher.next_publication();
    }
    let mut socket = running.socket();
    socket.write(b"GET /lines/a?since=0 HTTP/1.1\r\nhost: x\r\n\r\n");
    socket.head();
    publisher.text("pub a 3");
    let came = lines(&mut socket, 5);
    assert_eq!(came[0], "open");
    for (number, line) in came[1..].iter().enumerate() {
        assert!(line.ends_with(&format!(" {number}")), "{line}");
    }
    drop((publisher, socket));
    running.until_empty();
}

#[test]
fn whoever_takes_nothing_is_let_go() {
    let mut setup = Setup::default();
    setup.net.write_timeout = Duration::from_millis(200);
    setup.net.outbox_bytes_max = 1 << 30;
    let running = setup.start();
    let slow = stream(&running, "a");
    let mut publisher = running.open("/");
    let payload = "x".repeat(1 << 20);
    // More than the buffers of both ends take.
    for _ in 0..40 {
        publisher.text(&format!("pub a {payload}"));
    }
    until("it is let go", || running.drops("stream not read") == 1);
    until("its session has ended", || running.sessions("lines") == 0);
    drop((slow, publisher));
    running.until_empty();
}
