//! The scenarios against the reference, and against servers that do it wrong: a figure must only come from a right run.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use antiphon_bench::framing::{BINARY, CLOSE, Header, TEXT, apply_mask, push_frame};
use antiphon_bench::{
    EchoArgs, Error, FanoutArgs, IdleArgs, Kind, Protocol, PublishArgs, Scenario, Span, TargetArgs,
    handshake, measure,
};

struct Reference {
    child: Child,
    url: String,
}

impl Reference {
    fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_antiphon-bench"))
            .arg("reference")
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    fn target(&self) -> TargetArgs {
        TargetArgs { pid: Some(self.child.id()), ..target(self.url.clone(), Kind::Reference) }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn target(url: String, kind: Kind) -> TargetArgs {
    TargetArgs {
        url,
        kind,
        path: None,
        publish_path: None,
        channel: "bench".to_owned(),
        token: None,
        pid: None,
    }
}

/// Ends by number, not by time, so that a slow machine changes nothing.
fn span(messages: u64) -> Span {
    Span { duration: Duration::from_secs(3600), warm_up: Duration::ZERO, messages: Some(messages) }
}

fn fanout(target: TargetArgs, subscribers: usize, size: usize) -> FanoutArgs {
    FanoutArgs {
        target,
        protocol: Protocol::WebSocket,
        span: span(40),
        subscribers: subscribers.try_into().unwrap(),
        in_flight: 16.try_into().unwrap(),
        size,
        rate: None,
    }
}

fn echo(target: TargetArgs, size: usize) -> Scenario {
    echo_over(Protocol::WebSocket, target, size)
}

fn echo_over(protocol: Protocol, target: TargetArgs, size: usize) -> Scenario {
    let (connections, in_flight) = (8.try_into().unwrap(), 2.try_into().unwrap());
    Scenario::Echo(EchoArgs { target, protocol, span: span(100), connections, in_flight, size, rate: None })
}

fn publish(target: TargetArgs) -> Scenario {
    let (publishers, in_flight) = (4.try_into().unwrap(), 8.try_into().unwrap());
    Scenario::Publish(PublishArgs {
        target,
        span: span(100),
        publishers,
        in_flight,
        size: 128,
        transient: false,
    })
}

#[test]
fn the_reference_delivers_small_and_huge_messages_to_all() {
    for options in [&[][..], &["--no-coalesce"]] {
        let reference = Reference::start(options);
        for (subscribers, size) in [(1, 16), (20, 128), (300, 125), (4, 3 << 20)] {
            let args = fanout(reference.target(), subscribers, size);
            let report = measure(&Scenario::Fanout(args)).unwrap();
            assert!(report.count >= 40 * subscribers as u64, "{options:?} {subscribers} {size}: {report}");
            assert!(report.cpu.unwrap().microseconds_per_unit > 0.0);
        }
    }
}

#[test]
fn a_fixed_rate_and_a_number_of_messages_bound_a_run() {
    let reference = Reference::start(&[]);
    let rate = FanoutArgs { rate: Some(2000.0), ..fanout(reference.target(), 5, 128) };
    let report = measure(&Scenario::Fanout(rate)).unwrap();
    assert!(report.count >= 5 * 40, "{report}");
}

#[test]
fn the_reference_echoes_small_and_huge_messages() {
    let reference = Reference::start(&[]);
    for size in [16, 128, 70_000, 3 << 20] {
        let report = measure(&echo(reference.target(), size)).unwrap();
        assert!(report.count >= 100, "{size}: {report}");
    }
}

#[test]
fn the_reference_broadcasts_to_a_room_and_acknowledges() {
    for options in [&[][..], &["--no-coalesce"]] {
        let reference = Reference::start(options);
        for (subscribers, size) in [(1, 16), (20, 128), (4, 3 << 20)] {
            let args = fanout(reference.target(), subscribers, size);
            let args = FanoutArgs { protocol: Protocol::SocketIo, ..args };
            let report = measure(&Scenario::Fanout(args)).unwrap();
            assert!(report.count >= 40 * subscribers as u64, "{options:?} {subscribers} {size}: {report}");
        }
        let report = measure(&echo_over(Protocol::SocketIo, reference.target(), 128)).unwrap();
        assert!(report.count >= 100, "{report}");
    }
}

#[test]
fn idle_connections_are_opened_counted_and_found_alive() {
    let reference = Reference::start(&[]);
    let (connections, opening) = (500.try_into().unwrap(), 64.try_into().unwrap());
    for protocol in [Protocol::WebSocket, Protocol::SocketIo] {
        let args = IdleArgs { target: reference.target(), protocol, connections, opening };
        let report = measure(&Scenario::Idle(args)).unwrap();
        assert_eq!(report.count, 500);
        let memory = report.memory.unwrap();
        assert!(memory.bytes_before > 0 && memory.bytes_per_connection < 65_536.0, "{memory:?}");
    }
}

/// What a scripted server does with each message, and what it appends to send back.
type Script = fn(message: &[u8], count: u64, out: &mut Vec<u8>);

/// A server that upgrades every connection and follows a script on each.
fn scripted(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, script));
        }
    });
    url
}

fn serve(mut stream: TcpStream, script: Script) -> Option<()> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let head_bytes = loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(head_bytes) = handshake::head_bytes(&bytes) {
            break head_bytes;
        }
    };
    let head = String::from_utf8(bytes.drain(..head_bytes).collect()).ok()?;
    let accept = handshake::accept(handshake::header(&head, "Sec-WebSocket-Key")?);
    let mut out = format!("HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes();
    if head.starts_with("GET /socket.io/?EIO=4&transport=websocket ") {
        push_frame(&mut out, TEXT, br#"0{"sid":"x"}"#, None);
    }
    let subprotocol = handshake::header(&head, "Sec-WebSocket-Protocol");
    if subprotocol == Some("antiphon.v1") {
        push_frame(&mut out, TEXT, br#"{"type":"open","session":"s","position":"1"}"#, None);
    }
    let mut seen = 0;
    loop {
        while let Some(header) =
            Header::read(&bytes, 1 << 20).ok()?.filter(|h| h.frame_bytes() <= bytes.len())
        {
            let mut message: Vec<u8> =
                bytes.drain(..header.frame_bytes()).skip(header.header_bytes).collect();
            apply_mask(&mut message, header.mask?);
            script(&message, seen, &mut out);
            seen += 1;
        }
        stream.write_all(&out).ok()?;
        out.clear();
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// What a Socket.IO server does with a packet, but for `answer`, which makes of an event with an id what comes back.
fn socketio(message: &[u8], out: &mut Vec<u8>, answer: impl FnOnce(&str) -> String) {
    let text = std::str::from_utf8(message).unwrap();
    match text {
        "40" => push_frame(out, TEXT, br#"40{"sid":"y"}"#, None),
        "3" => {}
        event => push_frame(out, TEXT, answer(event).as_bytes(), None),
    }
}

/// The right answer to an event `echo`.
fn echoed(event: &str) -> String {
    let (id, rest) = event.strip_prefix("42").unwrap().split_once("[\"echo\",").unwrap();
    format!("43{id}[{rest}")
}

fn acknowledge(message: &[u8], out: &mut Vec<u8>) {
    let message: serde_json::Value = serde_json::from_slice(message).unwrap();
    assert_eq!(message["type"], "publish");
    let answer = format!(r#"{{"type":"ok","id":{},"position":"17","stored":true}}"#, message["id"]);
    push_frame(out, TEXT, answer.as_bytes(), None);
}

#[test]
fn publishes_are_counted_as_they_are_acknowledged() {
    let url = scripted(|message, _, out| acknowledge(message, out));
    let report = measure(&publish(target(url, Kind::Antiphon))).unwrap();
    assert!(report.count >= 100, "{report}");
}

#[test]
fn an_acknowledgement_that_comes_twice_ends_the_run() {
    let url = scripted(|message, count, out| {
        acknowledge(message, out);
        if count == 20 {
            acknowledge(message, out);
        }
    });
    let result = measure(&publish(target(url, Kind::Antiphon)));
    assert!(matches!(result, Err(Error::Unexpected { .. })), "{result:?}");
}

#[test]
fn a_refused_publish_ends_the_run() {
    let url = scripted(|_, _, out| push_frame(out, TEXT, br#"{"type":"error","id":1,"error":{}}"#, None));
    let result = measure(&publish(target(url, Kind::Antiphon)));
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
}

#[test]
fn a_lost_message_ends_the_run() {
    let url = scripted(|message, count, out| {
        if count != 10 {
            push_frame(out, BINARY, message, None);
        }
    });
    let result = measure(&echo(target(url, Kind::Antiphon), 128));
    assert!(matches!(result, Err(Error::OutOfOrder { expected: 10, found: 11, .. })), "{result:?}");
}

#[test]
fn a_ping_of_engine_io_is_answered() {
    thread_local! {
        /// What this connection's server holds back until its ping is answered.
        static HELD_BACK: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    }
    let url = scripted(|message, count, out| {
        HELD_BACK.with_borrow_mut(|held_back| {
            if message == b"3" {
                out.append(&mut held_back.take().unwrap());
            }
            if count % 7 == 3 && held_back.is_none() {
                push_frame(out, TEXT, b"2", None);
                *held_back = Some(Vec::new());
            }
            socketio(message, held_back.as_mut().unwrap_or(out), echoed);
        });
    });
    let report = measure(&echo_over(Protocol::SocketIo, target(url, Kind::Plain), 128)).unwrap();
    assert!(report.count >= 100, "{report}");
}

#[test]
fn an_acknowledgement_of_another_event_ends_the_run() {
    let url = scripted(|message, count, out| {
        let skew = |event: &str| echoed(event).replacen("43", if count == 9 { "431" } else { "43" }, 1);
        socketio(message, out, skew);
    });
    let result = measure(&echo_over(Protocol::SocketIo, target(url, Kind::Plain), 128));
    assert!(matches!(result, Err(Error::Unexpected { .. })), "{result:?}");
}

#[test]
fn a_refused_connect_ends_the_run() {
    let url = scripted(|_, _, out| push_frame(out, TEXT, br#"44{"message":"no"}"#, None));
    let result = measure(&echo_over(Protocol::SocketIo, target(url, Kind::Plain), 128));
    assert!(matches!(result, Err(Error::Unexpected { .. })), "{result:?}");
}

#[test]
fn a_closed_connection_ends_the_run_with_its_reason() {
    let url = scripted(|_, _, out| push_frame(out, CLOSE, b"\x03\xF0not you", None));
    match measure(&echo(target(url, Kind::Antiphon), 128)) {
        Err(Error::Closed { code: Some(1008), reason, .. }) => assert_eq!(reason, "not you"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_does_not_upgrade_or_is_not_there_is_an_error() {
    let reference = Reference::start(&[]);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let elsewhere = TargetArgs { path: Some("/nothing".to_owned()), ..reference.target() };
    let result = measure(&echo(elsewhere, 128));
    assert!(matches!(result, Err(Error::Closed { .. })), "{result:?}");
    let result = measure(&echo(target(format!("http://{gone}"), Kind::Antiphon), 128));
    assert!(matches!(result, Err(Error::Socket { .. })), "{result:?}");
}
